//! Users and certificates, with a real etcd.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::servers::Servers;
use super::*;

async fn administer(endpoint: &str, requests: &[(&str, Value)]) {
    let client = reqwest::Client::new();
    for (path, body) in requests {
        let url = format!("{endpoint}/v3/auth/{path}");
        until(path, async || {
            let answer = client.post(&url).body(body.to_string()).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }
}

/// A user `agent` that may do everything below /kamscale/, and nothing else.
async fn with_users(endpoint: &str) {
    use base64::Engine;
    let key = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let permission = json!({
        "permType": "READWRITE", "key": key("/kamscale/"), "range_end": key("/kamscale0"),
    });
    let requests = [
        ("role/add", json!({"name": "root"})),
        ("role/add", json!({"name": "kamscale"})),
        (
            "role/grant",
            json!({"name": "kamscale", "perm": permission}),
        ),
        ("user/add", json!({"name": "root", "password": "admin"})),
        ("user/add", json!({"name": "agent", "password": "right"})),
        ("user/grant", json!({"user": "root", "role": "root"})),
        ("user/grant", json!({"user": "agent", "role": "kamscale"})),
        ("enable", json!({})),
    ];
    administer(endpoint, &requests).await;
}

async fn refusal(node: &Lease) -> LeaseError {
    until("a refusal", async || match node.keep().await {
        Ok(role) => panic!("{role:?}"),
        Err(LeaseError::Away { .. }) => None,
        Err(error) => Some(error),
    })
    .await
}

#[tokio::test]
async fn only_the_right_password_leads() {
    let Some(mut servers) = Servers::start("only_the_right_password", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    with_users(&endpoints[0]).await;
    let file = servers.directory().join("password");
    let mut config = config(&endpoints);
    config.user = Some("agent".into());
    config.password_file = Some(file.clone());
    let user = Lease::new(&config, "a", "default").unwrap();

    let error = refusal(&user).await;
    assert!(
        matches!(&error, LeaseError::Config(text) if text.contains("password")),
        "{error}"
    );
    std::fs::write(&file, "wrong\n").unwrap();
    assert!(matches!(refusal(&user).await, LeaseError::Denied(_)));
    assert_eq!(user.leads_until(), None);
    let nobody = node(&endpoints, "nobody");
    assert!(matches!(refusal(&nobody).await, LeaseError::Denied(_)));
    config.prefix = "/other".into();
    std::fs::write(&file, "right\n").unwrap();
    let stranger = Lease::new(&config, "a", "default").unwrap();
    assert!(matches!(refusal(&stranger).await, LeaseError::Denied(_)));

    assert_eq!(role(&user).await, Role::Leader);
    let revision = stored(&user, &[("ccp", "x")]).await;
    assert!(!format!("{user:?}").contains("right"));
    // A restart makes all tokens void.
    servers.kill(0);
    servers.run(0);
    assert_eq!(role(&user).await, Role::Leader);
    assert!(stored(&user, &[("ccp", "y")]).await > revision);
    user.resign().await;
    config.prefix = "/kamscale".into();
    let next = Lease::new(&config, "b", "default").unwrap();
    assert_eq!(
        role(&next).await,
        Role::Leader,
        "resigning needs no more rights"
    );
}

/// An authority, and a certificate of it for 127.0.0.1 that serves both sides.
fn certificates(directory: &Path) -> bool {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(directory);
        command.output().is_ok_and(|output| output.status.success())
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!(
        "{new} -subj /CN=authority -keyout ca.key -out ca.pem"
    )) && openssl(&format!(
        "{new} -subj /CN=other -keyout other.key -out other.pem"
    )) && openssl(&format!(
        "{new} -subj /CN=agent -keyout agent.key -out agent.pem -CA ca.pem -CAkey ca.key \
             -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    ))
}

#[tokio::test]
async fn both_sides_prove_themselves_by_certificates() {
    let arguments = |directory: &Path| {
        assert!(certificates(directory), "openssl made no certificates");
        let arguments = "--client-cert-auth --trusted-ca-file ca.pem --cert-file agent.pem --key-file agent.key";
        arguments.split(' ').map(str::to_owned).collect()
    };
    let started = Servers::start_with("both_sides_prove_themselves", 1, "https", arguments);
    let Some(servers) = started else {
        return;
    };
    let file = |name: &str| Some(servers.directory().join(name));
    let mut config = config(&servers.endpoints());
    config.ca_file = file("ca.pem");
    config.certificate_file = file("agent.pem");
    config.key_file = file("agent.key");
    let known = Lease::new(&config, "a", "default").unwrap();
    assert_eq!(role(&known).await, Role::Leader);

    config.certificate_file = None;
    config.key_file = None;
    let without = Lease::new(&config, "b", "default").unwrap();
    without.keep().await.unwrap_err();
    config.ca_file = file("other.pem");
    let doubting = Lease::new(&config, "c", "default").unwrap();
    let error = doubting.keep().await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    config.ca_file = file("none.pem");
    let error = Lease::new(&config, "d", "default").unwrap_err().to_string();
    assert!(
        error.contains("ca_file") && error.contains("none.pem"),
        "{error}"
    );
}
