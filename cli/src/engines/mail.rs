//! A private mail server for development and tests: it keeps what it takes in a folder, and passes nothing on.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::folder::{Memory, make_dir};
use super::process::{Server, command};
use super::{Engine, find};

pub(super) fn start(memory: &Memory, port: u16, log: &Path) -> anyhow::Result<Server> {
    let home = &memory.home;
    make_dir(home, 0o700)?;
    let program = find::program(Engine::Mail).context("aiosmtpd is not installed")?;
    let end = Engine::Mail.end_signal();
    let mut command = command(&program, None, Some(end))?;
    // It stays the user it is: nobody else could write into our folder.
    command.arg("--nosetuid").args(["--class", "aiosmtpd.handlers.Mailbox"]);
    command.arg("--listen").arg(format!("127.0.0.1:{port}")).arg(mailbox(home));
    Server::start("aiosmtpd", command, end, home, log)
}

/// Greets it as a client does; the URL when the server answers.
pub(super) async fn look(port: u16) -> anyhow::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    anyhow::ensure!(line.starts_with("220 "), "aiosmtpd answered {line:?}");
    stream.get_mut().write_all(b"QUIT\r\n").await?;
    Ok(format!("smtp://127.0.0.1:{port}"))
}

/// Where the messages are.
pub(super) fn mailbox(home: &Path) -> PathBuf {
    home.join("mailbox")
}
