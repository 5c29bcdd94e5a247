//! A nats-server of one test's own, to be killed, wiped and started again.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nats::Bus;

pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { folder, port, process: None };
        server.start_again().await;
        server
    }

    pub(crate) async fn start_again(&mut self) {
        let mut command = Command::new(program());
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]);
        command.arg(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        nats::connect(&self.url()).await.unwrap().ready(SOON).await.unwrap();
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(self.folder.path().join("jetstream")).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Speaks to the server as any client could, and waits for its answer.
    pub(crate) fn say(&self, command: &str) {
        let mut line = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        line.write_all(format!("CONNECT {{}}\r\n{command}PING\r\n").as_bytes()).unwrap();
        let answers = BufReader::new(line).lines();
        answers.map(Result::unwrap).find(|answer| answer == "PONG").unwrap();
    }

    pub(crate) async fn bus(&self) -> Bus {
        let bus = nats::connect(&self.url()).await.unwrap();
        bus.ready(SOON).await.unwrap();
        bus
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nats-server"); // where Debian puts it, outside users' PATH
    if usual.exists() { usual } else { "nats-server".into() }
}
