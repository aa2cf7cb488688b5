//! Against the real Keystone; `scripts/openstack-agent.sh` runs it.

use serde_json::Value;

use crate::cloud::{Cloud, CloudError, Keystone, Request, Service};
use crate::config::CloudConfig;

/// A cloud of the test bed, by its name in clouds.yaml.
pub(crate) fn cloud(name: &str) -> Keystone {
    let bed = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/openstack");
    let bed = std::env::var("KAMSCALE_OPENSTACK").unwrap_or_else(|_| bed.into());
    let config = CloudConfig {
        name: Some(name.into()),
        ..CloudConfig::default()
    };
    Keystone::from(&config, &|name| match name {
        "OS_CLIENT_CONFIG_FILE" => Some(format!("{bed}/clouds.yaml")),
        "OS_CLIENT_SECURE_FILE" => Some(format!("{bed}/secure.yaml")),
        _ => None,
    })
    .unwrap()
}

async fn asks_every_service(cloud: &Keystone) -> Result<(), CloudError> {
    for (service, path) in [
        (Service::Orchestration, "/stacks"),
        (Service::Metric, "/v1/archive_policy"),
        (Service::Alarming, "/v2/alarms"),
    ] {
        let answer = cloud.request(Request::get(service, path)).await?;
        answer.json::<Value>()?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn real_services_answer_a_user_and_an_application_credential() {
    for name in ["kamscale", "kamscale-application", "kamscale-restricted"] {
        let result = asks_every_service(&cloud(name)).await;
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn a_real_token_that_was_revoked_is_replaced() {
    for name in ["kamscale", "kamscale-application"] {
        let cloud = cloud(name);
        // Before its first use: services remember for minutes that a token was good.
        cloud.revoke().await;
        let before = cloud.traffic().snapshot();
        asks_every_service(&cloud).await.unwrap();
        let tokens = |snapshot: &std::collections::BTreeMap<_, crate::cloud::Exchanges>| {
            snapshot[&("identity", crate::cloud::Method::Post)].requests
        };
        let after = cloud.traffic().snapshot();
        assert_eq!(
            tokens(&after),
            tokens(&before) + 1,
            "{name}: asked once for another"
        );
    }
}

#[tokio::test]
#[ignore = "needs services: scripts/openstack-agent.sh"]
async fn a_real_stack_that_is_not_there_is_not_found() {
    let asked = Request::get(Service::Orchestration, "/stacks/nobody-made-this");
    let error = cloud("kamscale").request(asked).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("(req-"), "{error}");
}
