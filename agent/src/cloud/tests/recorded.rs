//! A server that plays recorded answers, for faults that real services do not give on demand.
//!
//! One origin is Keystone and every service. It keeps what it was asked.

use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::cloud::{CloudError, Keystone};
use crate::config::CloudConfig;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

/// What the server does with it.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// Status, further header lines, body.
    Say(u16, String, String),
    /// Takes the request and never answers.
    Hang,
    /// Promises more than it sends, and hangs up.
    Cut,
}

pub(crate) fn say(status: u16, body: &str) -> Play {
    Play::Say(status, String::new(), body.into())
}

type Script = dyn Fn(&Asked, usize) -> Play + Send + Sync;

/// The server.
pub(crate) struct Recorded {
    pub(crate) url: String,
    pub(crate) home: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Recorded {
    /// Starts one. The script gets the request and how many of the same line came before.
    pub(crate) async fn start(
        script: impl Fn(&Asked, usize) -> Play + Send + Sync + 'static,
    ) -> Recorded {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), kept.clone()));
            }
        });
        let home = tempfile::tempdir().unwrap();
        Recorded { url, home, asked }
    }

    /// How often a request was asked, by the beginning of its line.
    pub(crate) fn count(&self, line: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|it| it.line.starts_with(line)).count()
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A cloud whose Keystone is this server, by password.
    pub(crate) fn cloud(&self, timeout_s: f64) -> Keystone {
        self.try_cloud(timeout_s, "clouds: {rec: {}}").unwrap()
    }

    /// The same with further keys: a text merged over it as secure.yaml.
    pub(crate) fn try_cloud(&self, timeout_s: f64, more: &str) -> Result<Keystone, CloudError> {
        let clouds = json!({"clouds": {"rec": {"region_name": "One", "auth": {
            "auth_url": self.url, "username": "demo", "user_domain_name": "Default",
            "password": "s3same", "project_name": "demo", "project_domain_name": "Default",
        }}}});
        let file = self.home.path().join("clouds.yaml");
        let secure = self.home.path().join("secure.yaml");
        std::fs::write(&file, clouds.to_string()).unwrap();
        std::fs::write(&secure, more).unwrap();
        let config = CloudConfig {
            name: Some("rec".into()),
            timeout_s,
        };
        Keystone::from(&config, &|name| match name {
            "OS_CLIENT_CONFIG_FILE" => Some(file.to_str()?.into()),
            "OS_CLIENT_SECURE_FILE" => Some(secure.to_str()?.into()),
            _ => None,
        })
    }
}

/// A server that gives tokens t0, t1, ... and otherwise does as told.
pub(crate) async fn server(
    life_s: u32,
    script: impl Fn(&Asked, usize) -> Play + Send + Sync + 'static,
) -> Recorded {
    let url = Arc::new(OnceLock::new());
    let own: Arc<OnceLock<String>> = url.clone();
    let server = Recorded::start(move |asked, before| match asked.line.as_str() {
        "POST /v3/auth/tokens" => token(own.get().unwrap(), &format!("t{before}"), life_s),
        _ => script(asked, before),
    })
    .await;
    url.set(server.url.clone()).unwrap();
    server
}

/// Keystone's answer with a catalog at the same origin. The token names itself.
pub(crate) fn token(url: &str, token: &str, life_s: u32) -> Play {
    let endpoint = |kind: &str, path: &str| {
        let url = format!("{url}{path}");
        json!({"type": kind, "name": kind, "endpoints": [
            {"interface": "public", "region": "One", "region_id": "One", "url": url},
        ]})
    };
    let expires = format!(
        "2026-01-01T{:02}:00:{:02}.000000Z",
        life_s / 3600,
        life_s % 60
    );
    let body = json!({"token": {
        "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": expires,
        "project": {"id": "p", "name": "demo"},
        "catalog": [endpoint("orchestration", "/heat/v1/p"), endpoint("metric", "/gnocchi")],
    }});
    Play::Say(
        201,
        format!("X-Subject-Token: {token}\r\n"),
        body.to_string(),
    )
}

async fn serve(stream: TcpStream, script: Arc<Script>, kept: Arc<Mutex<Vec<Asked>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        let before = {
            let mut kept = kept.lock().unwrap();
            let before = kept.iter().filter(|it| it.line == asked.line).count();
            kept.push(asked.clone());
            before
        };
        let (text, go_on) = match script(&asked, before) {
            Play::Hang => return std::future::pending().await,
            Play::Cut => (
                "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":".into(),
                false,
            ),
            Play::Say(status, headers, body) => (answer(status, &headers, &body), true),
        };
        if stream.write_all(text.as_bytes()).await.is_err() || !go_on {
            return;
        }
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} X\r\nX-OpenStack-Request-Id: req-7\r\n{headers}");
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    text
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let (mut line, mut token, mut length) = (String::new(), None, 0);
    loop {
        let mut text = String::new();
        if stream.read_line(&mut text).await.ok()? == 0 {
            return None;
        }
        let text = text.trim_end();
        match text.split_once(": ") {
            None if text.is_empty() => break,
            None => line = text.trim_end_matches(" HTTP/1.1").into(),
            Some((name, value)) => match name.to_ascii_lowercase().as_str() {
                "x-auth-token" => token = Some(value.into()),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            },
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Asked { line, token, body })
}
