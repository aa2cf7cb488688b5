//! Light, constant traffic, so that workers are busy: two requests at once in every interval, one
//! for each worker. It must not be a load test: stock reloads crash under much traffic.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::SipClient;
use crate::run::RunDir;

/// Requests that go out together.
const AT_ONCE: u32 = 2;

/// Traffic that goes on until it is dropped.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<f64>>,
}

impl Traffic {
    /// Starts it.
    ///
    /// # Panics
    /// If the system gives no socket.
    #[must_use]
    pub fn start(run: &RunDir, sip: SocketAddr, interval: Duration) -> Self {
        let request = SipClient::new(run).request("OPTIONS", &format!("sip:{sip}"));
        let request = request.to_string().into_bytes();
        let local = run.endpoint();
        let socket = UdpSocket::bind(local).unwrap_or_else(|e| panic!("binding {local}: {e}"));
        let ready = socket.set_nonblocking(true);
        ready.unwrap_or_else(|e| panic!("a socket that does not block: {e}"));
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            let (began, mut sent) = (Instant::now(), 0_u32);
            while !asked.load(Ordering::Relaxed) {
                for _ in 0..AT_ONCE {
                    // What is lost is not missed.
                    let _ = socket.send_to(&request, sip);
                }
                sent += AT_ONCE;
                while socket.recv(&mut buffer).is_ok() {}
                // The pace of the traffic, not a wait for anything.
                std::thread::sleep(interval);
            }
            f64::from(sent) / began.elapsed().as_secs_f64()
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it and says how many requests per second there were.
    ///
    /// # Panics
    /// If its thread panicked.
    #[must_use]
    pub fn end(mut self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        thread.map_or(0.0, |t| t.join().unwrap_or(0.0))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
