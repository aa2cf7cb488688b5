//! The real Prometheus scrapes what two agents serve.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::http::{Shared, router};
use crate::journal::{Journal, now_s};
use crate::nodes::{PoolReport, Shares};
use crate::status::{FeatureStatus, MemberStatus, PoolStatus, Pulse, Status};

const BINARY: &str = "/usr/bin/prometheus";
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an agent serves, with a loop that goes round until it is told to hang.
struct Node {
    address: SocketAddr,
    status: watch::Sender<Arc<Status>>,
    server: JoinHandle<()>,
    rounds: JoinHandle<()>,
}

impl Node {
    async fn new(name: &str, calls: u32) -> Node {
        let (status, receiver) = watch::channel(Arc::new(status(name, calls)));
        let shared = Shared {
            pulse: watch::channel(Pulse::default()).1,
            status: receiver,
            journal: Journal::default(),
            controls: mpsc::channel(1).0,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router(shared)).await;
        });
        let clock = status.clone();
        let rounds = tokio::spawn(async move {
            loop {
                clock.send_modify(|status| Arc::make_mut(status).now_s = now_s());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Node {
            address,
            status,
            server,
            rounds,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status
            .send_modify(|status| change(Arc::make_mut(status)));
    }
}

fn status(name: &str, calls: u32) -> Status {
    let member = |calls| MemberStatus {
        uri: "sip:127.0.0.1".into(),
        name: None,
        state: "active".into(),
        origin: "plan".into(),
        held: false,
        leaving: false,
        calls: Some(calls),
        calls_here: Some(calls),
        capacity_calls: 20,
        weight: 100,
        priority: 0,
        down: false,
        failures: 0,
        since_s: 0.0,
        pid: None,
    };
    let pool = PoolStatus {
        calls: calls.into(),
        calls_here: calls.into(),
        capacity_calls: 40,
        started: 100,
        refused: 7,
        members: [("ccp-1".into(), member(calls)), ("ccp-2".into(), member(0))].into(),
        ..PoolStatus::default()
    };
    let mut status = Status {
        node: name.into(),
        revision: 3,
        host: Some(Shares {
            cpu: 0.25,
            memory: 0.5,
            network: None,
        }),
        host_pool: Some("proxies".into()),
        features: vec![FeatureStatus {
            name: "calls".into(),
            requests: 1000,
            ..FeatureStatus::default()
        }],
        pools: [("ccp".into(), pool)].into(),
        ..Status::default()
    };
    status.kamailio.attached = true;
    status.kamailio.boot_id = Some(u64::MAX - 1);
    status
}

/// The server; it ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn spawn(dir: &Path, address: SocketAddr) -> Server {
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let child = Command::new(BINARY)
            .arg(format!(
                "--config.file={}",
                dir.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        Server { child, url }
    }

    /// False if it ended, as when another took its port.
    async fn is_ready(&mut self) -> bool {
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        let start = Instant::now();
        while start.elapsed() < PATIENCE && self.child.try_wait().unwrap().is_none() {
            let answer = client.get(format!("{}/-/ready", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

/// Scrapes these; None if the package is not there.
async fn prometheus(dir: &Path, targets: &[&Node]) -> Option<(Server, Prometheus)> {
    if !Path::new(BINARY).exists() {
        println!("SKIPPED: {BINARY} is missing (package prometheus)");
        return None;
    }
    let targets: Vec<String> = targets
        .iter()
        .map(|node| format!("\"{}\"", node.address))
        .collect();
    let text = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: kamscale\n  \
         static_configs: [{{targets: [{}]}}]\n",
        targets.join(", ")
    );
    std::fs::write(dir.join("prometheus.yml"), text).unwrap();
    for _ in 0..5 {
        // It does not tell which port it got for 0, and somebody else may take a free one first.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut server = Server::spawn(dir, address);
        if server.is_ready().await {
            let asked = Prometheus::new(&config(&server.url)).unwrap();
            return Some((server, asked));
        }
    }
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    panic!("Prometheus does not start:\n{log}");
}

/// Reads until what is read is as expected.
async fn until(
    prometheus: &Prometheus,
    own: &str,
    expected: impl Fn(&[NodeReport]) -> bool,
) -> Vec<NodeReport> {
    let start = Instant::now();
    loop {
        let reports = prometheus.read_nodes(own, now_s()).await.unwrap();
        if expected(&reports) {
            return reports;
        }
        assert!(start.elapsed() < PATIENCE, "{reports:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_read_as_they_last_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Node::new("lb1", 5).await, Node::new("lb2", 0).await);
    let Some((_server, prometheus)) = prometheus(dir.path(), &[&one, &two]).await else {
        return;
    };
    let reports = until(&prometheus, "lb3", |reports| reports.len() == 2).await;
    assert_eq!([&*reports[0].node, &*reports[1].node], ["lb1", "lb2"]);
    assert_eq!(reports[0].revision, 3);
    assert_eq!(reports[0].pool.as_deref(), Some("proxies"));
    assert_eq!(reports[0].shares, one.status.borrow().host);
    assert_eq!(reports[0].features["calls"].offered, 1000);
    let expected = PoolReport {
        started: 100,
        refused: 7,
        calls: 5,
        capacity: 40,
        boot_id: u64::MAX - 1,
    };
    assert_eq!(reports[0].pools["ccp"], expected);
    assert_eq!(
        reports[0].members,
        [(("ccp".into(), "ccp-1".into()), 5)].into()
    );
    assert!(reports[1].members.is_empty() && reports[1].pools.contains_key("ccp"));

    // What a node says of itself is not asked for.
    let others = prometheus.read_nodes("lb1", now_s()).await.unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].node, "lb2");

    for (matchers, expected) in [("job=\"kamscale\",", 2), ("job=\"other\"", 0)] {
        let config = PrometheusConfig {
            matchers: matchers.into(),
            ..prometheus.config.clone()
        };
        let narrowed = Prometheus::new(&config).unwrap();
        let reports = narrowed.read_nodes("lb3", now_s()).await.unwrap();
        assert_eq!(reports.len(), expected, "{matchers}");
    }

    // Its page is served, but the loop behind it hangs: it grows old all the same.
    two.rounds.abort();
    let is_old = |report: &NodeReport| now_s() - report.at_s > 3.0;
    let reports = until(&prometheus, "lb3", |reports| is_old(&reports[1])).await;
    assert!(reports[0].at_s > reports[1].at_s);

    one.change(|status| status.kamailio.attached = false);
    let is_away = |reports: &[NodeReport]| reports[0].pools.is_empty();
    let reports = until(&prometheus, "lb3", is_away).await;
    assert!(reports[0].members.is_empty() && reports[0].shares.is_some());

    two.server.abort();
    let reports = until(&prometheus, "lb3", |reports| reports.len() == 1).await;
    assert_eq!(reports[0].node, "lb1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_give_one_value_per_series_and_none_that_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Node::new("lb1", 5).await, Node::new("lb2", 3).await);
    let Some((_server, prometheus)) = prometheus(dir.path(), &[&one, &two]).await else {
        return;
    };
    until(&prometheus, "lb3", |reports| reports.len() == 2).await;
    let query = "kamscale_host_cpu_ratio # a plain selector";
    let cpu = prometheus.query(query, 60.0).await.unwrap();
    let values = cpu.values.iter();
    let targets: Vec<_> = values.map(|value| &value.labels["instance"]).collect();
    assert_eq!(targets.len(), 2);
    assert!(targets.contains(&&one.address.to_string()));
    assert_eq!(cpu.values[0].value, 0.25);
    assert!(cpu.age_s > 0.0, "it was scraped before");
    let sum = "sum(kamscale_pool_calls{pool='ccp'})";
    let sum = prometheus.query(sum, 60.0).await.unwrap().values;
    assert_eq!((sum[0].value, sum[0].labels.len()), (8.0, 0));
    let none = prometheus.query("no_such_metric", 60.0).await.unwrap();
    assert_eq!(none.values, []);
    let error = prometheus.query("sum(", 60.0).await.unwrap_err();
    assert!(error.to_string().contains("parse error"), "{error}");
}
