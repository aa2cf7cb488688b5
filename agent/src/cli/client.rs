//! The HTTP client of the command line: one request, one connection, with timeouts.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{Failure, exit};
use crate::config::Listen;

/// How long the agent may take for everything.
const PATIENCE: Duration = Duration::from_secs(10);
/// A status of the biggest table stays far below.
const MAX_ANSWER_BYTES: usize = 64 << 20;

type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Talks to one agent.
#[derive(Debug)]
pub(super) struct Client<'a> {
    socket: &'a str,
}

impl<'a> Client<'a> {
    pub(super) fn new(socket: &'a str) -> Client<'a> {
        Client { socket }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, body.to_string().into()).await
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        let unreachable = |why: String| Failure {
            code: exit::UNREACHABLE,
            message: format!(
                "the agent does not answer on {}: {why}. Does it run? Start it with \
                 `systemctl start kamscale-agent`, or name its address with --socket",
                self.socket
            ),
        };
        let listen = Listen::parse(self.socket).map_err(|message| Failure {
            code: 2,
            message: format!("--socket: {message}"),
        })?;
        let exchange = async {
            match listen {
                Listen::Unix(path_of) => {
                    exchange(UnixStream::connect(path_of).await?, method, path, body).await
                }
                Listen::Tcp(address) => {
                    exchange(TcpStream::connect(address).await?, method, path, body).await
                }
            }
        };
        let (status, answer) = match timeout(PATIENCE, exchange).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("no answer within {PATIENCE:?}"))),
        };
        let value: Value = serde_json::from_slice(&answer)
            .map_err(|error| unreachable(format!("its answer is no JSON ({error})")))?;
        if status.is_success() {
            return Ok(value);
        }
        let message = value["error"]["message"]
            .as_str()
            .unwrap_or("the agent refused")
            .to_owned();
        Err(Failure {
            code: exit::REFUSED,
            message,
        })
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Reason> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; an error shows up at the request.
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "kamscale-agent")
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
        .collect()
        .await?
        .to_bytes();
    driver.abort();
    Ok((status, answer))
}
