//! A real database for Kamailio (MariaDB with the tables of Kamailio's own scripts) and ways to it (HAProxy).
//! All files are in the run's directory and nothing listens beyond its addresses; no other database is touched.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::run::RunDir;
use crate::tools::tool;
use crate::wait::{PATIENCE, wait_until};

const PORT: u16 = 3306;
/// Nobody needs it after a crash of the machine, so it waits for no disk.
const CARELESS: [&str; 4] = [
    "--debug-no-sync",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=8M",
];
/// Where the packages have Kamailio's scripts.
const SCRIPTS: &str = "/usr/share/kamailio/mysql";
/// The tables of a core node.
const TABLES: [&str; 4] = ["standard", "auth_db", "usrloc", "presence"];

/// The server; it ends with this.
#[derive(Debug)]
pub struct Database<'a> {
    run: &'a RunDir,
    socket: PathBuf,
    address: SocketAddr,
    process: Process,
}

impl<'a> Database<'a> {
    /// One with empty tables.
    ///
    /// # Panics
    /// If it does not come up, or its packages are missing.
    #[must_use]
    #[track_caller]
    pub fn start(run: &'a RunDir) -> Self {
        let data = run.dir("database");
        // A server that starts removes what others have in the same directory for temporary tables.
        let temporary = run.dir("database-temporary");
        let installed = Command::new(tool("mariadb-install-db"))
            .args(["--no-defaults", "--skip-test-db"])
            .arg("--auth-root-authentication-method=normal")
            .args(as_user())
            .args(CARELESS)
            .arg(format!("--datadir={}", data.display()))
            .env("TMPDIR", &temporary)
            .stdout(Stdio::null())
            .output()
            .unwrap_or_else(|e| panic!("mariadb-install-db: {e}"));
        assert!(
            installed.status.success(),
            "mariadb-install-db: {installed:?}"
        );
        let address = SocketAddr::from((run.next_address(), PORT));
        let socket = run.file("database.sock");
        let mut command = Command::new(tool("mariadbd"));
        command.arg("--no-defaults").args(as_user());
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--socket={}", socket.display()));
        command.arg(format!("--bind-address={}", address.ip()));
        command.arg(format!("--port={}", address.port()));
        command.arg(format!("--pid-file={}", run.file("database.pid").display()));
        command.env("TMPDIR", temporary);
        command.args(CARELESS);
        let mut database = Self {
            run,
            socket,
            address,
            process: Process::spawn(run, "database", &mut command),
        };
        database.make_tables();
        database
    }

    #[track_caller]
    fn make_tables(&mut self) {
        wait_until("the database answers", 2 * PATIENCE, || {
            if let Some(status) = self.process.ended() {
                panic!("the database ended ({status}):\n{}", self.process.log());
            }
            self.client()
                .args(["-e", "SELECT 1"])
                .output()
                .is_ok_and(|o| o.status.success())
        });
        let grants = "CREATE DATABASE kamailio; CREATE USER kamailio@'%' IDENTIFIED BY 'secret'; \
                      GRANT ALL ON kamailio.* TO kamailio@'%'; DELETE FROM mysql.user WHERE User=''; \
                      FLUSH PRIVILEGES;";
        self.sql(grants);
        for table in TABLES {
            let script = Path::new(SCRIPTS).join(format!("{table}-create.sql"));
            let script = File::open(&script)
                .unwrap_or_else(|e| panic!("{}: {e}; `make setup` installs it", script.display()));
            let made = self.client().arg("kamailio").stdin(script).output();
            let made = made.unwrap_or_else(|e| panic!("mariadb: {e}"));
            assert!(made.status.success(), "tables of {table}: {made:?}");
        }
    }

    fn client(&self) -> Command {
        let mut command = Command::new(tool("mariadb"));
        command.args([
            "--no-defaults",
            "--user=root",
            "--batch",
            "--skip-column-names",
        ]);
        command.arg(format!("--socket={}", self.socket.display()));
        command
    }

    /// What statements answer: a line per row, columns divided by tabs.
    ///
    /// # Panics
    /// If the database refuses.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> Vec<String> {
        let output = self.client().args(["-e", statements]).output();
        let output = output.unwrap_or_else(|e| panic!("mariadb: {e}"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}: {error}");
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(str::to_owned).collect()
    }

    /// Adds a subscriber as an operator would: without the password, only its digest.
    #[track_caller]
    pub fn subscriber(&self, name: &str, domain: &str, password: &str) {
        self.sql(&format!(
            "INSERT INTO kamailio.subscriber (username, domain, ha1) \
             VALUES ('{name}', '{domain}', MD5('{name}:{domain}:{password}'))"
        ));
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kamailio's URL for it, by its own address or by that of a proxy.
    #[must_use]
    pub fn url(&self, at: SocketAddr) -> String {
        format!("mysql://kamailio:secret@{at}/kamailio")
    }
}

/// A way to the database that a test takes away.
#[derive(Debug)]
pub struct DatabaseProxy {
    address: SocketAddr,
    process: Process,
}

/// Where a proxy tells whether it has a database.
const HEALTH_PORT: u16 = 8404;

impl DatabaseProxy {
    /// HAProxy before the database, which tells that it has it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(database: &Database<'_>, name: &str) -> Self {
        let address = SocketAddr::from((database.run.next_address(), PORT));
        let text = format!(
            "listen database\n  bind {address}\n  server database {}\n\
             frontend health\n  mode http\n  bind {}:{HEALTH_PORT}\n  monitor-uri /\n",
            database.address,
            address.ip(),
        );
        Self::run(database.run, name, address, &text)
    }

    /// HAProxy on the host that asks: the first of two proxies that is up, as the Puppet class
    /// `kamscale::database_access` writes it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn access(run: &RunDir, first: SocketAddr, second: SocketAddr) -> Self {
        let address = SocketAddr::from((run.next_address(), PORT));
        let text = format!(
            "listen database\n  bind {address}\n  option httpchk GET /\n  timeout check 750ms\n  \
             default-server check port {HEALTH_PORT} inter 500 fastinter 250 fall 2 rise 2 on-marked-down shutdown-sessions\n  \
             server proxy1 {first}\n  server proxy2 {second} backup\n"
        );
        Self::run(run, "access", address, &text)
    }

    #[track_caller]
    fn run(run: &RunDir, name: &str, address: SocketAddr, sections: &str) -> Self {
        let text = format!(
            "defaults\n  mode tcp\n  timeout connect 1s\n  timeout check 1s\n  timeout client 1h\n  \
             timeout server 1h\n{sections}"
        );
        let file = run.write(&format!("{name}.cfg"), text);
        let mut command = Command::new(tool("haproxy"));
        command.arg("-db").arg("-f").arg(file);
        let process = Process::spawn(run, name, &mut command);
        wait_until("the proxy of the database answers", PATIENCE, || {
            std::net::TcpStream::connect(address).is_ok()
        });
        Self { address, process }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process, for signals and its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// MariaDB runs as root only if it is told to.
fn as_user() -> Option<String> {
    let is_root = rustix::process::geteuid().is_root();
    is_root.then(|| "--user=root".to_owned())
}
