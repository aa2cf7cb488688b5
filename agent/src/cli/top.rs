//! `kamscale top`: the table of pools, anew each second. Plain ANSI, and a terminal that is always
//! given back as it was.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::client::Client;
use super::{Failure, show};

/// Between two pictures.
const PERIOD: Duration = Duration::from_secs(1);
const ALTERNATE_SCREEN: &str = "\x1b[?1049h\x1b[?25l";
const NORMAL_SCREEN: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Shows pools until `q` or Ctrl-C; just once if nobody watches.
///
/// # Errors
/// If the agent cannot be reached at first; later it may go and come back.
pub(super) async fn top(client: &Client<'_>) -> Result<String, Failure> {
    let first = show::status(&client.get("/api/v1/status").await?);
    if !(stdout().is_terminal() && stdin().is_terminal()) {
        return Ok(first);
    }
    let _screen = Screen::enter();
    let mut keys = keys();
    let mut interval = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                let text = match client.get("/api/v1/status").await {
                    Ok(status) => show::status(&status),
                    Err(failure) => failure.message,
                };
                draw(&text);
            }
            key = keys.recv() => if matches!(key, Some(b'q' | b'Q' | 3 | 4) | None) {
                return Ok(String::new());
            },
            _ = tokio::signal::ctrl_c() => return Ok(String::new()),
        }
    }
}

fn draw(text: &str) {
    let mut frame = String::from(HOME);
    for line in text.lines().chain(["", "q: end"]) {
        frame.push_str(line);
        frame.push_str(CLEAR_LINE);
        frame.push_str("\r\n");
    }
    frame.push_str(CLEAR_BELOW);
    let mut out = stdout().lock();
    // A terminal that is gone ends the loop by the end of its input.
    let _ = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
}

/// Keys as they are pressed. The thread ends with the process: reading cannot be interrupted.
fn keys() -> mpsc::Receiver<u8> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        for key in stdin().lock().bytes().map_while(Result::ok) {
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The alternate screen without echo; the old one again when it is dropped.
struct Screen {
    before: Option<Termios>,
}

impl Screen {
    fn enter() -> Screen {
        let before = tcgetattr(stdin()).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
        }
        print!("{ALTERNATE_SCREEN}");
        Screen { before }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        print!("{NORMAL_SCREEN}");
        let _ = stdout().flush();
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
