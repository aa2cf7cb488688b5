//! SIP OPTIONS: asks a member whether it is there. One request, one socket, no transaction layer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout};

/// Longest answer that is looked at; only its first line and headers matter.
const MAX_ANSWER_BYTES: usize = 4096;

/// How waiting for answers ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// So many in a row came.
    Enough,
    /// Who is asked ended.
    Ended,
    /// The time was up.
    TooLate,
}

/// Asks every `pause` until `enough` answers with 2xx came in a row, `lives` says no, or the time is up.
pub(super) async fn in_a_row(
    target: SocketAddr,
    enough: u32,
    pause: Duration,
    deadline: Instant,
    lives: impl Fn() -> bool,
) -> Answers {
    let (mut in_row, mut sequence) = (0, 0);
    while in_row < enough {
        if !lives() {
            return Answers::Ended;
        }
        if Instant::now() >= deadline {
            return Answers::TooLate;
        }
        let asked = Instant::now();
        sequence += 1;
        let answered = answers(target, sequence, pause).await;
        in_row = if answered { in_row + 1 } else { 0 };
        if in_row < enough {
            sleep(pause.saturating_sub(asked.elapsed())).await;
        }
    }
    Answers::Enough
}

/// Whether `target` answers OPTIONS with 2xx within `patience`.
async fn answers(target: SocketAddr, sequence: u32, patience: Duration) -> bool {
    matches!(
        timeout(patience, exchange(target, sequence)).await,
        Ok(Ok(true))
    )
}

async fn exchange(target: SocketAddr, sequence: u32) -> std::io::Result<bool> {
    let any: IpAddr = if target.ip().is_loopback() {
        // A member on loopback must not be asked from an address that it cannot answer.
        if target.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        }
    } else if target.is_ipv4() {
        [0, 0, 0, 0].into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(target).await?;
    let local = socket.local_addr()?;
    let call_id = format!(
        "kamscale-{}-{}-{sequence}",
        std::process::id(),
        local.port()
    );
    socket
        .send(request(target, local, &call_id, sequence).as_bytes())
        .await?;
    let mut buffer = vec![0; MAX_ANSWER_BYTES];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(code) = status_code(&buffer[..length], &call_id)
            && code >= 200
        {
            return Ok(code < 300);
        }
    }
}

fn request(target: SocketAddr, local: SocketAddr, call_id: &str, sequence: u32) -> String {
    format!(
        "OPTIONS sip:{target} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK-{call_id}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:kamscale-agent@{local}>;tag={sequence}\r\n\
         To: <sip:{target}>\r\n\
         Call-ID: {call_id}\r\n\
         CSeq: {sequence} OPTIONS\r\n\
         Contact: <sip:kamscale-agent@{local}>\r\n\
         User-Agent: kamscale-agent\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// The status code of an answer to our request; `None` for anything else.
fn status_code(answer: &[u8], call_id: &str) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    let code = lines
        .next()?
        .strip_prefix("SIP/2.0 ")?
        .get(..3)?
        .parse()
        .ok()?;
    let ours = lines.take_while(|line| !line.is_empty()).any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            let name = name.trim();
            (name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i"))
                && value.trim() == call_id
        })
    });
    ours.then_some(code)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn only_answers_to_our_own_request_count() {
        let answer = b"SIP/2.0 200 OK\r\ni: abc\r\nCSeq: 1 OPTIONS\r\n\r\n";
        assert_eq!(status_code(answer, "abc"), Some(200));
        assert_eq!(status_code(answer, "other"), None);
        assert_eq!(status_code(b"OPTIONS sip:x SIP/2.0\r\n\r\n", "abc"), None);
        assert_eq!(status_code(b"\xff\xfe", "abc"), None);
    }

    /// A member that answers its first requests so, and is well after them; how many it was asked.
    async fn member(first: &'static [&'static str]) -> (SocketAddr, Arc<AtomicUsize>) {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            loop {
                let (length, from) = server.recv_from(&mut buffer).await.unwrap();
                let code = first.get(count.fetch_add(1, Relaxed)).unwrap_or(&"200 OK");
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let call_id = request
                    .lines()
                    .find(|line| line.starts_with("Call-ID"))
                    .unwrap();
                let answer = format!("SIP/2.0 {code}\r\n{call_id}\r\n\r\n");
                server.send_to(answer.as_bytes(), from).await.unwrap();
            }
        });
        (target, asked)
    }

    #[tokio::test]
    async fn a_2xx_is_ready_and_an_error_or_silence_is_not() {
        let (target, _) = member(&["503 No"]).await;
        let patience = Duration::from_secs(5);
        assert!(!answers(target, 1, patience).await);
        assert!(answers(target, 2, patience).await);
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let target = silent.local_addr().unwrap();
        assert!(!answers(target, 3, Duration::from_millis(20)).await);
    }

    #[tokio::test]
    async fn a_refusal_begins_the_row_of_answers_anew() {
        let (target, asked) = member(&["200 OK", "200 OK", "503 No"]).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        let pause = Duration::from_millis(200);
        let outcome = in_a_row(target, 3, pause, deadline, || true).await;
        assert!(matches!(outcome, Answers::Enough));
        // More, if one was late.
        assert!(asked.load(Relaxed) >= 6);
        let ended = in_a_row(target, 3, pause, deadline, || false).await;
        assert!(matches!(ended, Answers::Ended));
        let late = in_a_row(target, 3, pause, Instant::now(), || true).await;
        assert!(matches!(late, Answers::TooLate));
    }
}
