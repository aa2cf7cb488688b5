//! A phone on a connection of its own: TCP, or TLS by the program `openssl`. It knows messages
//! without body only, and nothing of what the LB should do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use kamscale_tests::{PATIENCE, SipMessage, tool};

pub(super) struct StreamPhone {
    out: Box<dyn Write>,
    messages: Receiver<SipMessage>,
    tls: Option<Child>,
}

impl StreamPhone {
    /// Connects by TCP.
    #[track_caller]
    pub(super) fn tcp(target: SocketAddr) -> Self {
        let stream = TcpStream::connect(target).unwrap_or_else(|e| panic!("{target}: {e}"));
        let input = stream
            .try_clone()
            .unwrap_or_else(|e| panic!("cloning: {e}"));
        Self {
            out: Box::new(stream),
            messages: reader(input),
            tls: None,
        }
    }

    /// Connects by TLS.
    #[track_caller]
    pub(super) fn tls(target: SocketAddr) -> Self {
        let mut child = Command::new(tool("openssl"))
            .args(["s_client", "-quiet", "-connect", &target.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("starting openssl: {e}"));
        let (input, out) = (child.stdout.take(), child.stdin.take());
        let (Some(input), Some(out)) = (input, out) else {
            panic!("openssl has no pipes");
        };
        Self {
            out: Box::new(out),
            messages: reader(input),
            tls: Some(child),
        }
    }

    #[track_caller]
    pub(super) fn send(&mut self, message: &SipMessage) {
        let sent = self.out.write_all(message.to_string().as_bytes());
        let sent = sent.and_then(|()| self.out.flush());
        sent.unwrap_or_else(|e| panic!("sending on a connection: {e}"));
    }

    /// The next message on the connection.
    #[track_caller]
    pub(super) fn receive(&self) -> SipMessage {
        let message = self.messages.recv_timeout(PATIENCE);
        message.unwrap_or_else(|e| panic!("nothing came on the connection: {e}"))
    }
}

impl Drop for StreamPhone {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            let _ = tls.kill();
            let _ = tls.wait();
        }
    }
}

fn reader(mut input: impl Read + Send + 'static) -> Receiver<SipMessage> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = input.read(&mut buffer) {
            text += &String::from_utf8_lossy(&buffer[..length]);
            while let Some((message, rest)) = text.split_once("\r\n\r\n") {
                if let Ok(message) = message.trim_start().parse()
                    && sender.send(message).is_err()
                {
                    return;
                }
                text = rest.to_owned();
            }
        }
    });
    receiver
}
