//! Where the description of a cloud stands: clouds.yaml and its companions, or `OS_*`.
//!
//! The same files and the same order as every OpenStack client. It must not judge what is in them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::CloudError;

/// A variable of the process, or of a test.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One cloud as written, before it is judged.
#[derive(Debug)]
pub(super) struct Written {
    /// The keys of clouds.yaml.
    pub(super) entry: Value,
    /// Where it stands, for errors: a file and a cloud, or the environment.
    pub(super) origin: Origin,
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file and a cloud in it.
    File(PathBuf, String),
    /// `OS_*`.
    Environment,
}

impl Origin {
    /// A key as it is written there.
    pub(super) fn key(&self, key: &str) -> String {
        match self {
            Origin::File(..) => key.into(),
            Origin::Environment => {
                let bare = key.strip_prefix("auth.").unwrap_or(key);
                format!("OS_{}", bare.to_ascii_uppercase())
            }
        }
    }

    /// An error about what is written there.
    pub(super) fn wrong(&self, reason: &str, remedy: &str) -> CloudError {
        let place = match self {
            Origin::File(file, cloud) => format!("cloud {cloud} in {}", file.display()),
            Origin::Environment => "the OS_* variables".into(),
        };
        credentials(format!("{place}: {reason}"), remedy)
    }
}

/// An error about where the credentials come from.
pub(super) fn credentials(reason: String, remedy: &str) -> CloudError {
    CloudError::Credentials {
        reason,
        remedy: remedy.into(),
    }
}

/// Finds the cloud: by name in clouds.yaml; without a name `OS_CLOUD`, then `OS_*` by themselves,
/// then the only cloud of the file.
pub(super) fn find(name: Option<&str>, variables: Variables<'_>) -> Result<Written, CloudError> {
    let name = name.map(str::to_owned).or_else(|| variables("OS_CLOUD"));
    if name.is_none() && variables("OS_AUTH_URL").is_some() {
        return Ok(Written {
            entry: from_variables(variables),
            origin: Origin::Environment,
        });
    }
    let Some(file) = locate("clouds", "OS_CLIENT_CONFIG_FILE", variables) else {
        let looked = "no clouds.yaml in ./, ~/.config/openstack or /etc/openstack";
        let remedy = "write one, name it in OS_CLIENT_CONFIG_FILE, or set OS_AUTH_URL and so on";
        return Err(credentials(looked.into(), remedy));
    };
    let mut all = read(&file)?;
    if !all["clouds"].is_object() {
        let reason = format!("{} has no map named clouds", file.display());
        return Err(credentials(
            reason,
            "write clouds: and below it each cloud by its name",
        ));
    }
    if let Some(secure) = locate("secure", "OS_CLIENT_SECURE_FILE", variables) {
        merge(&mut all, read(&secure)?);
    }
    let name = match name {
        Some(name) => name,
        None => only_cloud(&all, &file)?,
    };
    let Some(mut entry) = all["clouds"].get(&name).cloned() else {
        let has = names(&all).join(", ");
        let reason = format!("there is no cloud {name} in {}", file.display());
        return Err(credentials(
            reason,
            &format!("take one of those it has: {has}"),
        ));
    };
    let origin = Origin::File(file, name);
    add_profile(&mut entry, &origin, variables)?;
    Ok(Written { entry, origin })
}

/// Vendors' profiles stand in clouds-public.yaml; what the cloud says itself goes first.
fn add_profile(
    entry: &mut Value,
    origin: &Origin,
    variables: Variables<'_>,
) -> Result<(), CloudError> {
    let Some(profile) = entry.get("profile").and_then(Value::as_str) else {
        return Ok(());
    };
    let remedy = "write its keys into the cloud itself, or provide clouds-public.yaml";
    let known = match locate("clouds-public", "OS_CLIENT_VENDOR_FILE", variables) {
        Some(file) => read(&file)?["public-clouds"].get(profile).cloned(),
        None => None,
    };
    let mut whole =
        known.ok_or_else(|| origin.wrong(&format!("no profile {profile} is known"), remedy))?;
    merge(&mut whole, entry.take());
    *entry = whole;
    Ok(())
}

fn only_cloud(all: &Value, file: &Path) -> Result<String, CloudError> {
    let mut names = names(all);
    if names.len() == 1 {
        return Ok(names.remove(0));
    }
    let reason = format!(
        "{} has {} clouds and none is named",
        file.display(),
        names.len()
    );
    let remedy = format!(
        "set [cloud] name or OS_CLOUD to one of: {}",
        names.join(", ")
    );
    Err(credentials(reason, &remedy))
}

fn names(all: &Value) -> Vec<String> {
    let clouds = all["clouds"].as_object();
    clouds.map_or_else(Vec::new, |clouds| clouds.keys().cloned().collect())
}

/// The first of the usual places that has the file; a variable that names one is the only place.
fn locate(stem: &str, variable: &str, variables: Variables<'_>) -> Option<PathBuf> {
    if let Some(named) = variables(variable) {
        return Some(named.into());
    }
    let home = variables("HOME").map(|home| Path::new(&home).join(".config"));
    let personal = variables("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
    let places = [
        Some(PathBuf::from(".")),
        personal.map(|place| place.join("openstack")),
        Some("/etc/openstack".into()),
    ];
    let mut files = places.into_iter().flatten().flat_map(|place| {
        ["yaml", "yml", "json"].map(|suffix| place.join(format!("{stem}.{suffix}")))
    });
    files.find(|file| file.is_file())
}

fn read(file: &Path) -> Result<Value, CloudError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let reason = format!("{} cannot be read: {error}", file.display());
        credentials(
            reason,
            "check that it exists and that the agent's user may read it",
        )
    })?;
    // The parser's message would quote the line, and with it perhaps a password.
    serde_saphyr::from_str(&text).map_err(|error| {
        let place = error.location();
        let place = place.map_or_else(String::new, |at| format!(" in line {}", at.line()));
        let reason = format!("{} is no YAML{place}", file.display());
        credentials(reason, "check the indentation and the quotes there")
    })
}

/// What is added wins; maps are merged.
fn merge(into: &mut Value, added: Value) {
    match (into, added) {
        (Value::Object(into), Value::Object(added)) => {
            for (key, value) in added {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, added) => *into = added,
    }
}

fn from_variables(variables: Variables<'_>) -> Value {
    let mut auth = Map::new();
    let in_auth = [
        "auth_url",
        "username",
        "user_id",
        "user_domain_id",
        "user_domain_name",
        "password",
        "project_id",
        "project_name",
        "project_domain_id",
        "project_domain_name",
        "application_credential_id",
        "application_credential_name",
        "application_credential_secret",
    ];
    let written = |key: &str| variables(&format!("OS_{}", key.to_ascii_uppercase()));
    for key in in_auth {
        if let Some(value) = written(key) {
            auth.insert(key.into(), value.into());
        }
    }
    let mut entry = Map::new();
    for key in ["auth_type", "region_name", "interface", "cacert"] {
        if let Some(value) = written(key) {
            entry.insert(key.into(), value.into());
        }
    }
    if let Some(insecure) = variables("OS_INSECURE") {
        let insecure = matches!(insecure.to_ascii_lowercase().as_str(), "1" | "true" | "yes");
        entry.insert("verify".into(), (!insecure).into());
    }
    entry.insert("auth".into(), auth.into());
    entry.into()
}
