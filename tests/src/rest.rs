//! One HTTP request to a service on loopback, and its answer: what a person would do with curl. It must
//! not know what is asked, and retries nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// No answer of a service that is well takes so long on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    head: String,
    /// `null` if it is no JSON.
    pub body: Value,
    /// As it came.
    pub text: String,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (is, value) = line.split_once(':')?;
            is.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body of a success, or what was wrong, in words.
    ///
    /// # Errors
    /// What the service said, if it was no success.
    pub fn good(self, what: &str) -> Result<Value, String> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let text: String = self.text.chars().take(400).collect();
        Err(format!("{what}: {} {text}", self.status))
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// If the service cannot be reached, or says nothing.
pub fn ask(
    method: &str,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer, String> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| format!("{url}: only http:// is spoken here"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let failed = |e: std::io::Error| format!("{method} {url}: {e}");
    let mut stream = TcpStream::connect(host).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let payload = body.map(Value::to_string).unwrap_or_default();
    // HTTP/1.0: the connection ends with the answer, and nothing comes in chunks.
    let mut request = format!(
        "{method} {} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n",
        if path.is_empty() { "/" } else { path },
    );
    if let Some(token) = token {
        request += &format!("X-Auth-Token: {token}\r\n");
    }
    if body.is_some() {
        request += "Content-Type: application/json\r\n";
    }
    request += &format!("Content-Length: {}\r\n\r\n{payload}", payload.len());
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    let answer = String::from_utf8_lossy(&bytes);
    let (head, text) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("{method} {url}: no answer"))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| format!("{method} {url}: no HTTP"))?,
        head: head.to_owned(),
        body: serde_json::from_str(text).unwrap_or_default(),
        text: text.to_owned(),
    })
}
