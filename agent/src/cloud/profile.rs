//! A cloud as configured: where Keystone is, who asks, which region and interface, which CA.
//!
//! It must not send anything: what is wrong is said before the first request.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{self, Origin, Variables, Written};
use super::secret::Secret;
use super::{CloudError, Service};

/// One cloud, judged.
#[derive(Debug)]
pub(super) struct Profile {
    /// Keystone's endpoint, ending in `/v3`.
    pub(super) auth_url: String,
    /// Region of the catalog, if one was named.
    pub(super) region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub(super) interface: String,
    /// Certificates to trust, instead of the system's.
    pub(super) cacert: Option<PathBuf>,
    /// Whether certificates are checked at all.
    pub(super) verify: bool,
    /// Where all this stands.
    pub(super) origin: Origin,
    auth: Auth,
    method: AuthMethod,
    overrides: Vec<(Service, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AuthMethod {
    Password,
    ApplicationCredential,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Auth,
    auth_type: Option<String>,
    region_name: Option<String>,
    interface: Option<String>,
    cacert: Option<PathBuf>,
    verify: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    password: Option<Secret>,
    project_id: Option<String>,
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<Secret>,
}

impl Profile {
    /// Reads the cloud of that name, or the one that the environment names.
    pub(super) fn read(name: Option<&str>, variables: Variables<'_>) -> Result<Self, CloudError> {
        let Written { entry, origin } = files::find(name, variables)?;
        let overrides = overrides(&entry);
        // Only the place of an error is told: its text could quote a password.
        let entry: Entry = serde_path_to_error::deserialize(entry).map_err(|error| {
            let key = origin.key(&error.path().to_string());
            let remedy = "check its type; numbers that are names or passwords need quotes";
            origin.wrong(&format!("{key} is not what it should be"), remedy)
        })?;
        let method = method(&entry, &origin)?;
        let auth_url = auth_url(&entry.auth, &origin)?;
        let interface = entry.interface.unwrap_or_else(|| "public".into());
        let profile = Profile {
            auth_url,
            region: entry.region_name,
            interface: interface.trim_end_matches("URL").into(),
            cacert: entry.cacert,
            verify: entry.verify.unwrap_or(true),
            origin,
            auth: entry.auth,
            method,
            overrides,
        };
        profile.check()?;
        Ok(profile)
    }

    /// The endpoint of a service, if it is written here and not left to the catalog.
    pub(super) fn endpoint(&self, service: Service) -> Option<&str> {
        let mut overrides = self.overrides.iter();
        overrides
            .find(|(of, _)| *of == service)
            .map(|(_, url)| url.as_str())
    }

    /// Who asks, for errors.
    pub(super) fn who(&self) -> String {
        let auth = &self.auth;
        let name = match self.method {
            AuthMethod::Password => auth.username.as_ref().or(auth.user_id.as_ref()),
            AuthMethod::ApplicationCredential => {
                let id = auth.application_credential_id.as_ref();
                id.or(auth.application_credential_name.as_ref())
            }
        };
        let kind = match self.method {
            AuthMethod::Password => "user",
            AuthMethod::ApplicationCredential => "application credential",
        };
        format!("{kind} {}", name.map_or("", String::as_str))
    }

    /// The body of `POST /v3/auth/tokens` (Identity API v3).
    pub(super) fn token_request(&self) -> Value {
        let auth = &self.auth;
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|it| it.expose().to_owned());
        match self.method {
            AuthMethod::Password => {
                let mut user = self.user();
                user["password"] = secret(&auth.password).into();
                json!({"auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": self.project()},
                }})
            }
            AuthMethod::ApplicationCredential => {
                let mut credential = match &auth.application_credential_id {
                    Some(id) => json!({"id": id}),
                    None => json!({
                        "name": auth.application_credential_name,
                        "user": self.user(),
                    }),
                };
                credential["secret"] = secret(&auth.application_credential_secret).into();
                // Its project is fixed: a scope would be refused.
                json!({"auth": {"identity": {
                    "methods": ["application_credential"],
                    "application_credential": credential,
                }}})
            }
        }
    }

    fn user(&self) -> Value {
        let auth = &self.auth;
        match &auth.user_id {
            Some(id) => json!({"id": id}),
            None => json!({
                "name": auth.username,
                "domain": domain(&auth.user_domain_id, &auth.user_domain_name),
            }),
        }
    }

    fn project(&self) -> Value {
        let auth = &self.auth;
        match &auth.project_id {
            Some(id) => json!({"id": id}),
            None => json!({
                "name": auth.project_name,
                "domain": domain(&auth.project_domain_id, &auth.project_domain_name),
            }),
        }
    }

    fn check(&self) -> Result<(), CloudError> {
        let auth = &self.auth;
        let user_domain = auth.user_domain_id.is_some() || auth.user_domain_name.is_some();
        let project_domain = auth.project_domain_id.is_some() || auth.project_domain_name.is_some();
        let by_id = auth.application_credential_id.is_some();
        let named = auth.application_credential_name.is_some();
        let password = self.method == AuthMethod::Password;
        let needs_user = password || !by_id;
        let user = auth.user_id.is_some() || auth.username.is_some();
        let project = auth.project_id.is_some() || auth.project_name.is_some();
        let secret = auth.application_credential_secret.is_some();
        let missing = [
            (needs_user && !user, "auth.username"),
            (
                needs_user && auth.user_id.is_none() && !user_domain,
                "auth.user_domain_name",
            ),
            (password && auth.password.is_none(), "auth.password"),
            (password && !project, "auth.project_name"),
            (
                password && auth.project_id.is_none() && !project_domain,
                "auth.project_domain_name",
            ),
            (
                !password && !by_id && !named,
                "auth.application_credential_id",
            ),
            (!password && !secret, "auth.application_credential_secret"),
        ];
        match missing.iter().find(|(missing, _)| *missing) {
            Some((_, key)) => Err(is_missing(&self.origin, key)),
            None => Ok(()),
        }
    }
}

fn is_missing(origin: &Origin, key: &str) -> CloudError {
    let remedy = match origin {
        Origin::File(..) => "add it there or in secure.yaml",
        Origin::Environment => "set it",
    };
    origin.wrong(&format!("{} is missing", origin.key(key)), remedy)
}

fn method(entry: &Entry, origin: &Origin) -> Result<AuthMethod, CloudError> {
    let credential = entry.auth.application_credential_secret.is_some();
    match entry.auth_type.as_deref() {
        Some("password" | "v3password") => Ok(AuthMethod::Password),
        Some("v3applicationcredential") => Ok(AuthMethod::ApplicationCredential),
        None if credential => Ok(AuthMethod::ApplicationCredential),
        None => Ok(AuthMethod::Password),
        Some(other) => Err(origin.wrong(
            &format!("{} {other} is not supported", origin.key("auth_type")),
            "take password or v3applicationcredential",
        )),
    }
}

fn auth_url(auth: &Auth, origin: &Origin) -> Result<String, CloudError> {
    let Some(written) = &auth.auth_url else {
        return Err(is_missing(origin, "auth.auth_url"));
    };
    let bare = written.trim_end_matches('/').trim_end_matches("/v2.0");
    let url = format!("{}/v3", bare.trim_end_matches("/v3"));
    match reqwest::Url::parse(&url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url),
        _ => {
            let key = origin.key("auth.auth_url");
            Err(origin.wrong(
                &format!("{key} is no URL"),
                "write it as https://HOST:5000/v3",
            ))
        }
    }
}

fn domain(id: &Option<String>, name: &Option<String>) -> Value {
    match id {
        Some(id) => json!({"id": id}),
        None => json!({"name": name}),
    }
}

fn overrides(entry: &Value) -> Vec<(Service, String)> {
    let written = Service::ALL.into_iter().filter_map(|service| {
        let url = entry
            .get(format!("{service}_endpoint_override"))?
            .as_str()?;
        Some((service, url.to_owned()))
    });
    written.collect()
}
