//! etcd servers of a test: on loopback, on ports of their own, in a directory that goes with them.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A cluster; its servers end with it.
#[derive(Debug)]
pub(super) struct Servers {
    directory: TempDir,
    scheme: &'static str,
    extra: Vec<String>,
    ports: Vec<(u16, u16)>,
    running: Vec<Option<Child>>,
}

impl Servers {
    /// So many servers; `None`, and a line that says so, where etcd is not installed.
    pub(super) fn start(test: &str, count: usize) -> Option<Servers> {
        Servers::start_with(test, count, "http", |_| Vec::new())
    }

    /// With further arguments, made from the directory of the test.
    pub(super) fn start_with(
        test: &str,
        count: usize,
        scheme: &'static str,
        extra: impl Fn(&Path) -> Vec<String>,
    ) -> Option<Servers> {
        let known = Command::new("etcd")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if known.is_err() {
            println!("SKIPPED: {test}: etcd is not installed");
            return None;
        }
        let directory = TempDir::new().unwrap();
        // All are held until all are known, so that none is given out twice.
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let held: Vec<_> = (0..count).map(|_| (free(), free())).collect();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let ports = held.iter().map(|(a, b)| (port(a), port(b))).collect();
        drop(held);
        let mut servers = Servers {
            extra: extra(directory.path()),
            directory,
            scheme,
            ports,
            running: (0..count).map(|_| None).collect(),
        };
        for index in 0..count {
            servers.run(index);
        }
        Some(servers)
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn endpoints(&self) -> Vec<String> {
        let ports = self.ports.iter();
        ports
            .map(|(client, _)| format!("{}://127.0.0.1:{client}", self.scheme))
            .collect()
    }

    /// Starts a server, with what it had on disk.
    pub(super) fn run(&mut self, index: usize) {
        let (_, peer) = self.ports[index];
        let client = self.endpoints()[index].clone();
        let peer = format!("http://127.0.0.1:{peer}");
        let peers = self.ports.iter().enumerate();
        let cluster = peers.map(|(i, (_, peer))| format!("s{i}=http://127.0.0.1:{peer}"));
        let cluster = cluster.collect::<Vec<_>>().join(",");
        let log = self.directory.path().join(format!("s{index}.log"));
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = Command::new("etcd")
            .args([
                "--name",
                &format!("s{index}"),
                "--data-dir",
                &format!("s{index}.data"),
            ])
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &cluster])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
            .args(&self.extra)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.running[index] = Some(child.unwrap());
    }

    /// kill -9.
    pub(super) fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.running[index].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        (0..self.running.len()).for_each(|index| self.kill(index));
    }
}
