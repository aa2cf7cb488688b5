//! A Keystone and Gnocchi that agree to everything: what the agent sends costs as much as with the real
//! ones, and nothing has to be installed. It counts what it was sent; it must not keep it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::run::RunDir;

/// Longer than any measurement.
const EXPIRES_AT: &str = "2999-01-01T00:00:00Z";

/// The server; it ends with the program.
#[derive(Debug)]
pub struct Gnocchi {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    resources: AtomicU64,
    batches: AtomicU64,
}

impl Gnocchi {
    /// Starts one on an address of the run.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn start(run: &RunDir) -> Self {
        let listener = TcpListener::bind((run.next_address(), 0));
        let listener = listener.unwrap_or_else(|e| panic!("listening for the agent: {e}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|e| panic!("the address of the listener: {e}"));
        let counts = Arc::<Counts>::default();
        let shared = counts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = shared.clone();
                // A connection that breaks is opened again by the agent.
                std::thread::spawn(move || serve(&stream, address, &counts));
            }
        });
        Self { address, counts }
    }

    /// A clouds.yaml whose cloud `played` this is.
    #[must_use]
    pub fn clouds(&self, run: &RunDir) -> PathBuf {
        let auth = json!({
            "auth_url": format!("http://{}", self.address), "username": "demo", "password": "secret",
            "user_domain_name": "Default", "project_name": "demo", "project_domain_name": "Default",
        });
        let clouds = json!({"clouds": {"played": {"region_name": "One", "auth": auth}}});
        run.write("clouds.yaml", clouds.to_string())
    }

    /// Resources that were created.
    #[must_use]
    pub fn resources(&self) -> u64 {
        self.counts.resources.load(Ordering::Relaxed)
    }

    /// Batches of measures that came.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.counts.batches.load(Ordering::Relaxed)
    }
}

fn serve(stream: &TcpStream, address: SocketAddr, counts: &Counts) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if input.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse::<u64>().ok())?
        });
        let mut body = (&mut input).take(length.unwrap_or(0));
        std::io::copy(&mut body, &mut std::io::sink())?;
        let answer = answer(head.lines().next().unwrap_or_default(), address, counts);
        (&*stream).write_all(answer.as_bytes())?;
    }
}

/// What there is, is found nowhere and made on demand.
fn answer(request: &str, address: SocketAddr, counts: &Counts) -> String {
    let mut words = request.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let (status, more, body) = match (method, path) {
        (Some("POST"), "/v3/auth/tokens") => {
            ("201 Created", "X-Subject-Token: played\r\n", token(address))
        }
        (Some("GET"), _) => ("404 Not Found", "", "{}".into()),
        _ => ("200 OK", "", "[]".into()),
    };
    if path.starts_with("/v1/resource/") {
        counts.resources.fetch_add(1, Ordering::Relaxed);
    } else if path.starts_with("/v1/batch/") {
        counts.batches.fetch_add(1, Ordering::Relaxed);
    }
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\n\r\n{body}")
}

fn token(address: SocketAddr) -> String {
    let endpoint = json!({
        "interface": "public", "region_id": "One", "region": "One", "url": format!("http://{address}"),
    });
    let catalog = json!([{"type": "metric", "endpoints": [endpoint]}]);
    json!({"token": {"expires_at": EXPIRES_AT, "project": {"id": "demo"}, "catalog": catalog}})
        .to_string()
}
