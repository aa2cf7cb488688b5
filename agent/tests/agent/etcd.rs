//! One etcd server on loopback, with its data in a directory of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The server; it ends with the test.
pub(crate) struct Etcd {
    child: Option<Child>,
    client: u16,
    peer: u16,
    directory: TempDir,
}

impl Etcd {
    /// `None`, and a line that says so, where etcd is not installed.
    pub(crate) fn start(test: &str) -> Option<Etcd> {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, peer) = (free(), free());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let mut etcd = Etcd {
            child: None,
            client: port(&client),
            peer: port(&peer),
            directory: tempfile::tempdir().unwrap(),
        };
        drop((client, peer));
        if !etcd.run() {
            println!("SKIPPED: {test}: etcd is not installed");
            return None;
        }
        Some(etcd)
    }

    pub(crate) fn port(&self) -> u16 {
        self.client
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// Starts the server, with what it has on disk.
    pub(crate) fn run(&mut self) -> bool {
        let (client, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let child = Command::new("etcd")
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = child.ok();
        self.child.is_some()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Forgets all that it stored; it must not run.
    pub(crate) fn forget(&self) {
        let data: &Path = &self.directory.path().join("default.etcd");
        std::fs::remove_dir_all(data).unwrap();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}
