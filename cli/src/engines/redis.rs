//! A private redis-server: a cache, so nothing of it goes to disk.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::folder::{Memory, make_dir};
use super::process::{Server, command};
use super::{Engine, find, write_config};

pub(super) fn start(memory: &Memory, port: u16, log: &Path) -> anyhow::Result<Server> {
    let home = &memory.home;
    make_dir(home, 0o700)?;
    let config = home.join("redis.conf");
    let settings = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {}\nappendonly no\nsave \"\"\n\
         maxmemory 256mb\nmaxmemory-policy allkeys-lru\ndaemonize no\n",
        memory.password
    );
    write_config(&config, &settings)?;
    let program = find::program(Engine::Redis).context("redis-server is not installed")?;
    let end = Engine::Redis.end_signal();
    let mut command = command(&program, None, Some(end))?;
    command.arg(&config);
    Server::start("redis-server", command, end, home, log)
}

/// Connects as a client does; the URL when the server answers.
pub(super) async fn look(memory: &Memory, port: u16) -> anyhow::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let login = format!("AUTH {}\r\nPING\r\n", memory.password);
    stream.get_mut().write_all(login.as_bytes()).await?;
    let mut lines = stream.lines();
    for expected in ["+OK", "+PONG"] {
        let line = lines.next_line().await?.unwrap_or_default();
        anyhow::ensure!(line == expected, "redis-server answered {line:?}");
    }
    Ok(format!("redis://:{}@127.0.0.1:{port}", memory.password))
}
