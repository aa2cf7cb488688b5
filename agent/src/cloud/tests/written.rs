//! What is read from clouds.yaml, secure.yaml and `OS_*`, and what is said when they are wrong.

use std::collections::HashMap;

use crate::cloud::CloudError;
use crate::cloud::profile::Profile;

const GOOD: &str = "
clouds:
  one:
    region_name: One
    interface: internalURL
    verify: false
    auth: {auth_url: 'http://127.0.0.1:5000', username: demo, user_domain_name: Default,
           project_id: p1}
  two:
    auth_type: v3applicationcredential
    auth: {auth_url: 'http://127.0.0.1:5000/v3/', application_credential_id: c1}
  odd:
    auth: {auth_url: 'http://127.0.0.1:5000/v3/', username: demo, password: 12345}
  vendor:
    profile: acme
    auth: {username: demo, user_domain_id: default, project_id: p1, password: x}
";
const SECURE: &str = "
clouds:
  one: {auth: {password: s3same}}
  two: {auth: {application_credential_secret: s3same}}
";
const PUBLIC: &str = "
public-clouds:
  acme: {region_name: North, auth: {auth_url: 'https://id.acme.example/identity'}}
";

struct Place {
    dir: tempfile::TempDir,
    variables: HashMap<&'static str, String>,
}

impl Place {
    fn new(clouds: &str) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let mut variables = HashMap::new();
        for (name, variable, text) in [
            ("clouds.yaml", "OS_CLIENT_CONFIG_FILE", clouds),
            ("secure.yaml", "OS_CLIENT_SECURE_FILE", SECURE),
            ("clouds-public.yaml", "OS_CLIENT_VENDOR_FILE", PUBLIC),
        ] {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            variables.insert(variable, file.to_str().unwrap().into());
        }
        Place { dir, variables }
    }

    fn read(&self, name: Option<&str>) -> Result<Profile, CloudError> {
        Profile::read(name, &|name| self.variables.get(name).cloned())
    }

    fn error(&self, name: Option<&str>) -> String {
        let error = self.read(name).unwrap_err();
        assert!(matches!(error, CloudError::Credentials { .. }), "{error}");
        error.to_string()
    }
}

#[test]
fn a_password_from_secure_yaml_joins_its_cloud() {
    let one = Place::new(GOOD).read(Some("one")).unwrap();
    assert_eq!(one.auth_url, "http://127.0.0.1:5000/v3");
    assert_eq!(one.interface, "internal");
    assert!(!one.verify);
    let asked = one.token_request();
    let user = &asked["auth"]["identity"]["password"]["user"];
    assert_eq!(user["password"], "s3same");
    assert_eq!(user["domain"]["name"], "Default");
    assert_eq!(asked["auth"]["scope"]["project"]["id"], "p1");
    assert!(!format!("{one:?}").contains("s3same"));
}

#[test]
fn an_application_credential_asks_for_no_scope() {
    let two = Place::new(GOOD).read(Some("two")).unwrap();
    let asked = two.token_request();
    let identity = &asked["auth"]["identity"];
    assert_eq!(identity["methods"][0], "application_credential");
    assert_eq!(identity["application_credential"]["id"], "c1");
    assert_eq!(identity["application_credential"]["secret"], "s3same");
    assert!(asked["auth"].get("scope").is_none());
}

#[test]
fn os_cloud_names_the_cloud_and_a_vendor_profile_fills_it() {
    let mut place = Place::new(GOOD);
    place.variables.insert("OS_CLOUD", "vendor".into());
    let vendor = place.read(None).unwrap();
    assert_eq!(vendor.auth_url, "https://id.acme.example/identity/v3");
    assert_eq!(vendor.region.as_deref(), Some("North"));
}

#[test]
fn variables_alone_are_a_cloud_and_errors_name_them() {
    let mut variables = HashMap::from([
        ("OS_AUTH_URL", "http://127.0.0.1:5000/v2.0/"),
        ("OS_USERNAME", "demo"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PASSWORD", "s3same"),
        ("OS_PROJECT_NAME", "demo"),
        ("OS_REGION_NAME", "One"),
        ("OS_INSECURE", "True"),
    ]);
    let read = |variables: &HashMap<_, &str>| {
        Profile::read(None, &|name| variables.get(name).map(|it| (*it).to_owned()))
    };
    let error = read(&variables).unwrap_err().to_string();
    assert!(
        error.contains("OS_PROJECT_DOMAIN_NAME is missing"),
        "{error}"
    );
    variables.insert("OS_PROJECT_DOMAIN_ID", "default");
    let profile = read(&variables).unwrap();
    assert_eq!(profile.auth_url, "http://127.0.0.1:5000/v3");
    assert!(!profile.verify);
    variables.insert("OS_AUTH_TYPE", "v3oidcpassword");
    let error = read(&variables).unwrap_err().to_string();
    assert!(error.contains("OS_AUTH_TYPE v3oidcpassword"), "{error}");
}

#[test]
fn what_is_missing_or_wrong_is_named_with_file_cloud_and_key() {
    let place = Place::new(GOOD);
    let error = place.error(Some("three"));
    assert!(
        error.contains("no cloud three in") && error.contains("odd, one, two"),
        "{error}"
    );
    let error = place.error(None);
    assert!(
        error.contains("has 4 clouds") && error.contains("[cloud] name"),
        "{error}"
    );
    let error = place.error(Some("odd"));
    for part in ["cloud odd in", "clouds.yaml", "auth.password", "quotes"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    assert!(!error.contains("12345"), "{error}");
    std::fs::remove_file(place.dir.path().join("secure.yaml")).unwrap();
    let error = place.error(Some("one"));
    assert!(error.contains("secure.yaml cannot be read"), "{error}");
}

#[test]
fn a_broken_file_is_named_with_its_line_and_never_quoted() {
    let place = Place::new("clouds:\n  one:\n    auth: {password: s3same\n  two: ]\n");
    let error = place.error(Some("one"));
    assert!(error.contains("clouds.yaml is no YAML in line"), "{error}");
    assert!(!error.contains("s3same"), "{error}");
    let error = Place::new("[]").error(Some("one"));
    assert!(error.contains("no map named clouds"), "{error}");
}

#[test]
fn without_any_file_or_variable_the_places_are_named() {
    let error = Profile::read(Some("x"), &|name| {
        (name == "HOME").then(|| "/nonexistent".to_owned())
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("OS_CLIENT_CONFIG_FILE"), "{error}");
}
