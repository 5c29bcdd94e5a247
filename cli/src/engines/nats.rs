//! A private nats-server with `JetStream`.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::folder::{Memory, cannot, make_dir};
use super::process::{Server, command};
use super::{Engine, find, write_config};

const USER: &str = "annals";
/// The largest message: a command's events travel one by one, so this is far above any of them.
const MAX_PAYLOAD_BYTES: u32 = 8 * 1024 * 1024;

pub(super) fn start(memory: &Memory, port: u16, log: &Path) -> anyhow::Result<Server> {
    let home = &memory.home;
    make_dir(home, 0o700)?;
    let config = home.join("nats.conf");
    // The server's own format is a superset of JSON.
    let settings = serde_json::json!({
        "server_name": "annals",
        "host": "127.0.0.1",
        "port": port,
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": { "store_dir": home.join("store") },
        "authorization": { "user": USER, "password": memory.password },
    });
    write_config(&config, &settings.to_string())?;
    let program = find::program(Engine::Nats).context("nats-server is not installed")?;
    let end = Engine::Nats.end_signal();
    let mut command = command(&program, None, Some(end))?;
    command.arg("--config").arg(&config);
    Server::start("nats-server", command, end, home, log)
}

/// Connects as a client does; the URL when the server answers and has `JetStream`.
pub(super) async fn look(memory: &Memory, port: u16) -> anyhow::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    anyhow::ensure!(line.contains("\"jetstream\":true"), "JetStream is not ready");
    let login = serde_json::json!({ "user": USER, "pass": memory.password, "verbose": false });
    stream.get_mut().write_all(format!("CONNECT {login}\r\nPING\r\n").as_bytes()).await?;
    line.clear();
    stream.read_line(&mut line).await?;
    anyhow::ensure!(line.trim() == "PONG", "nats-server answered {line:?}");
    Ok(format!("nats://{USER}:{}@127.0.0.1:{port}", memory.password))
}

/// Throws the store away.
pub(super) fn wipe(home: &Path) -> anyhow::Result<()> {
    let store = home.join("store");
    if store.exists() {
        std::fs::remove_dir_all(&store).with_context(|| cannot("remove", &store))?;
    }
    Ok(())
}
