//! A nats-server of one test's own, to be killed, wiped and started again.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use nats::{Bus, LogId, Message};
use uuid::Uuid;

pub(crate) const LOG: LogId = LogId { epoch: 1, born_us: 1_795_000_000_000_000 };
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

    pub(crate) async fn bus(&self) -> Bus {
        let bus = nats::connect(&self.url()).await.unwrap();
        bus.ready(SOON).await.unwrap();
        bus
    }

    /// The server's own view, past our crate.
    pub(crate) async fn jetstream(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.url()).await.unwrap())
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

pub(crate) fn message(position: i64) -> Message {
    let number = u128::try_from(position).unwrap();
    Message {
        log: LOG,
        position,
        tenant_id: Uuid::from_u128(7),
        tenant_seq: position,
        aggregate_type: "rbac.policy".into(),
        aggregate_id: Uuid::from_u128(7).to_string(),
        sequence: position,
        event_id: Uuid::from_u128(1_000_000 + number),
        event_type: "rbac.policy.role_created".into(),
        event_version: "1".into(),
        recorded_at: "2026-11-21T00:00:00.000001Z".into(),
        metadata: r#"{"actor_id":"u7","actor_kind":"user"}"#.into(),
        chain: vec![0xab; 32],
        payload: Bytes::from_static(br#"{"type":"rbac.policy.role_created","name":"Auditor"}"#),
    }
}

pub(crate) fn messages(positions: std::ops::RangeInclusive<i64>) -> Vec<Message> {
    positions.map(message).collect()
}
