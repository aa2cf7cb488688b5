//! RPC over a datagram socket (module jsonrpcs): kamcmd takes longer to start than a small reload
//! takes, so its time cannot be told from that of the reload.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::RunDir;

/// A reload of a large set takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the server of this run listens.
#[must_use]
pub fn path(run: &RunDir) -> PathBuf {
    run.file("rpc")
}

/// What a configuration needs for it.
#[must_use]
pub fn module(path: &Path) -> String {
    format!(
        "loadmodule \"jsonrpcs.so\"\n\
         modparam(\"jsonrpcs\", \"transport\", 4)\n\
         modparam(\"jsonrpcs\", \"dgram_socket\", \"{}\")\n",
        path.display()
    )
}

/// One caller.
#[derive(Debug)]
pub struct Rpc(UnixDatagram);

impl Rpc {
    /// A caller of the running server of this run.
    ///
    /// # Errors
    /// What the system refused.
    pub fn connect(run: &RunDir) -> std::io::Result<Self> {
        let socket = UnixDatagram::bind(run.file("rpc-caller"))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(path(run))?;
        Ok(Self(socket))
    }

    /// Milliseconds of a command without parameters, until it was answered.
    ///
    /// # Errors
    /// Its error, or that there is no answer.
    pub fn timed(&self, command: &str) -> Result<f64, String> {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"{command}","id":1}}"#);
        let mut buffer = [0; 65_536];
        let began = Instant::now();
        let sent = self.0.send(text.as_bytes());
        let length = sent.and_then(|_| self.0.recv(&mut buffer));
        let took = began.elapsed();
        let length = length.map_err(|e| format!("{command}: {e}"))?;
        let answer = serde_json::from_slice::<Value>(&buffer[..length]);
        let answer = answer.map_err(|e| format!("{command}: {e}"))?;
        match answer.get("error") {
            None => Ok(took.as_secs_f64() * 1e3),
            Some(error) => Err(format!("{command}: {error}")),
        }
    }
}
