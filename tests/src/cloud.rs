//! The cloud as an operator sees it: a token, the catalog, requests to a service by its type. It shares
//! no code with the agent, so that both can be wrong only independently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::rest::{self, Answer};

/// One user in one project.
#[derive(Debug)]
pub struct Cloud {
    name: String,
    files: PathBuf,
    session: Mutex<Option<Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    token: String,
    user_id: String,
    project_id: String,
    endpoints: BTreeMap<String, String>,
}

impl Cloud {
    /// The cloud `name` of the files that `up.sh` writes into `files`.
    #[must_use]
    pub fn new(files: &Path, name: &str) -> Self {
        Self {
            name: name.into(),
            files: files.into(),
            session: Mutex::default(),
        }
    }

    /// Its entry in clouds.yaml with the secrets of secure.yaml.
    ///
    /// # Panics
    /// If the files cannot be read.
    #[must_use]
    pub fn entry(&self) -> Value {
        let read = |file: &str| {
            let path = self.files.join(file);
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("reading {}: {e}", path.display()));
            // JSON is YAML, but a comment is no JSON.
            let body: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
            serde_json::from_str::<Value>(&body.join("\n"))
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let mut entry = read("clouds.yaml")["clouds"][&self.name].take();
        let secure = read("secure.yaml")["clouds"][&self.name]["auth"].take();
        for (key, value) in secure.as_object().into_iter().flatten() {
            entry["auth"][key] = value.clone();
        }
        entry
    }

    fn log_in(&self) -> Result<Session, String> {
        let entry = self.entry();
        let auth = &entry["auth"];
        let domain = json!({"name": "Default"});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": auth["username"], "domain": domain, "password": auth["password"]}}},
            "scope": {"project": {"name": auth["project_name"], "domain": domain}}}});
        let url = format!("{}/auth/tokens", text(&auth["auth_url"]));
        let answer = rest::ask("POST", &url, None, Some(&body))?;
        let token = answer
            .header("X-Subject-Token")
            .unwrap_or_default()
            .to_owned();
        let body = answer.good("logging in")?;
        let services = body["token"]["catalog"].as_array().into_iter().flatten();
        let mut endpoints: BTreeMap<String, String> = services
            .filter_map(|service| {
                let mut each = service["endpoints"].as_array()?.iter();
                let public = each.find(|e| e["interface"] == "public")?;
                Some((text(&service["type"]), text(&public["url"])))
            })
            .collect();
        endpoints.insert("identity".into(), text(&auth["auth_url"]));
        Ok(Session {
            token,
            user_id: text(&body["token"]["user"]["id"]),
            project_id: text(&body["token"]["project"]["id"]),
            endpoints,
        })
    }

    fn session(&self, anew: bool) -> Result<Session, String> {
        let mut kept = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if anew {
            *kept = None;
        }
        if let Some(session) = &*kept {
            return Ok(session.clone());
        }
        let session = self.log_in()?;
        *kept = Some(session.clone());
        Ok(session)
    }

    /// Its token is void: Heat goes on to believe it, and then fails in the middle of a request.
    pub fn forget_token(&self) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The id of its user.
    ///
    /// # Errors
    /// If it cannot be reached, or refuses.
    pub fn user_id(&self) -> Result<String, String> {
        Ok(self.session(false)?.user_id)
    }

    /// The id of its project.
    ///
    /// # Errors
    /// If it cannot be reached, or refuses.
    pub fn project_id(&self) -> Result<String, String> {
        Ok(self.session(false)?.project_id)
    }

    /// A request to the service of a type; `path` may be a whole URL, as in links.
    ///
    /// # Errors
    /// If it cannot be reached, or refuses.
    pub fn ask(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let once = |session: &Session| {
            let url = match session.endpoints.get(service) {
                _ if path.starts_with("http") => path.to_owned(),
                Some(base) => format!("{}{path}", base.trim_end_matches('/')),
                None => return Err(format!("no service {service} in the catalog")),
            };
            rest::ask(method, &url, Some(&session.token), body)
        };
        let answer = once(&self.session(false)?)?;
        if answer.status == 401 {
            return once(&self.session(true)?);
        }
        let moved = answer.status == 302;
        match answer.header("Location").filter(|_| moved) {
            Some(place) => rest::ask(method, place, Some(&self.session(false)?.token), body),
            None => Ok(answer),
        }
    }

    /// The body of a successful answer.
    ///
    /// # Errors
    /// If it cannot be reached, or refuses.
    pub fn get(&self, service: &str, path: &str) -> Result<Value, String> {
        self.ask(service, "GET", path, None)?.good(path)
    }

    /// Sends a body and returns that of a successful answer.
    ///
    /// # Errors
    /// If it cannot be reached, or refuses.
    pub fn send(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        self.ask(service, method, path, Some(body))?.good(path)
    }
}

/// A string of an answer; empty if there is none.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
