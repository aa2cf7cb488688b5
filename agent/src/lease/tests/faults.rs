//! etcd goes away and comes back.

use super::servers::Servers;
use super::*;

#[tokio::test]
async fn without_etcd_the_leader_stops_in_time_and_nobody_follows_it() {
    let Some(mut servers) = Servers::start("without_etcd", 1) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (a, b) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&a).await, Role::Leader);
    assert_eq!(role(&b).await, follows("a"));
    servers.kill(0);
    let stopped = until("the end of a's belief", async || {
        let answers = tokio::join!(a.keep(), b.keep());
        let (Err(of_a), Err(of_b)) = answers else {
            panic!("{answers:?} from nobody");
        };
        assert!(matches!(of_b, LeaseError::Away { .. }), "{of_b}");
        assert_eq!(b.leads_until(), None);
        a.leads_until().is_none().then_some(of_a)
    });
    let error = stopped.await.to_string();
    assert!(error.contains(&endpoints[0]), "{error}");
    assert!(matches!(
        a.store(values(&[])).await,
        Err(LeaseError::NotLeader)
    ));

    servers.run(0);
    let back = until("one leader", async || {
        let roles = [role(&a).await, role(&b).await];
        roles.contains(&Role::Leader).then_some(roles)
    });
    let roles = back.await;
    let leads = roles.iter().filter(|role| **role == Role::Leader);
    assert_eq!(leads.count(), 1, "{roles:?}");
}

#[tokio::test]
async fn a_server_that_dies_costs_no_lease() {
    let Some(mut servers) = Servers::start("a_server_that_dies", 3) else {
        return;
    };
    let endpoints = servers.endpoints();
    let (a, b) = (node(&endpoints, "a"), node(&endpoints, "b"));
    assert_eq!(role(&a).await, Role::Leader);
    let revision = stored(&a, &[("ccp", "before")]).await;
    for dead in 0..3 {
        servers.kill(dead);
        let next = stored(&a, &[("ccp", &format!("without {dead}"))]).await;
        assert!(next > revision);
        assert_eq!(role(&a).await, Role::Leader);
        assert_eq!(role(&b).await, follows("a"));
        servers.run(dead);
        // Two of three must be there before the next one goes.
        let again = node(&endpoints[dead..=dead], "again");
        assert_eq!(role(&again).await, follows("a"));
        assert_eq!(role(&a).await, Role::Leader);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_leaves_time_for_the_next() {
    let Some(servers) = Servers::start("a_server_that_never_answers", 1) else {
        return;
    };
    // It accepts, by its backlog, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let endpoints = [&[silent][..], &servers.endpoints()].concat();
    assert_eq!(role(&node(&endpoints, "a")).await, Role::Leader);
}

#[tokio::test]
async fn answers_of_something_else_are_an_error_with_a_remedy() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bodies = [
        "",
        "nonsense",
        "{}",
        "[1]",
        "{\"kvs\":[{\"key\":\"!\"}]}",
        "{\"kvs\":7}",
    ];
    for (status, body) in bodies
        .iter()
        .flat_map(|body| [("200 OK", body), ("404 No", body)])
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let served = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let node = node(&[endpoint], "a");
        let error = node.keep().await.unwrap_err();
        assert!(
            matches!(error, LeaseError::Answer { .. }),
            "{status} {body}: {error}"
        );
        assert_eq!(node.leads_until(), None);
        served.abort();
    }
}
