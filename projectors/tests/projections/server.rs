//! A nats-server of a test's own, whose store nobody else fills.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nats::{Bus, topology};

use crate::support::SOON;

pub(crate) struct Server {
    process: Child,
    _folder: tempfile::TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(program())
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, _folder: folder, url: format!("nats://127.0.0.1:{port}") }
    }

    /// A connection, with the streams in place.
    pub(crate) async fn bus(&self) -> Bus {
        let bus = nats::connect(&self.url).await.unwrap();
        bus.ready(SOON).await.unwrap();
        topology::ensure(&bus).await.unwrap();
        bus
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn program() -> PathBuf {
    let usual = PathBuf::from("/usr/sbin/nats-server"); // where Debian puts it, outside users' PATH
    if usual.exists() { usual } else { PathBuf::from("nats-server") }
}
