//! HTTP/1.1 as a load generator needs it: a request is bytes, an answer is a status and a length.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 16 * 1024;
const STREAM_BYTES: usize = 256 * 1024;
/// How a chunked body ends.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
const CALL_LIMIT: Duration = Duration::from_mins(1);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What the head of an answer says about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// Sends a request and reads its answer, of which only the status is kept.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        Ok(self.exchange(request).await?.status)
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Head> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            let Some(head) = head(&self.buffer)? else { continue };
            let total = head.bytes + head.body_bytes;
            while self.buffer.len() < total {
                let read = self.stream.read_buf(&mut self.buffer).await?;
                ensure!(read > 0, "the server closed the connection within a body");
            }
            return Ok(head);
        }
    }

    /// Sends a request and keeps the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let head = self.exchange(request).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (first, rest) = self.buffer.split_at(head.bytes);
        Ok(Answer { status: head.status, head: text(first), body: text(&rest[..head.body_bytes]) })
    }
}

/// A body that was read and thrown away.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streamed {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

impl Connection {
    /// Sends a request and counts the lines of JSON in its chunked answer, to the end.
    pub(crate) async fn stream(&mut self, request: &[u8]) -> anyhow::Result<Streamed> {
        self.stream.write_all(request).await?;
        let mut streamed = Streamed::default();
        let mut buffer = vec![0; STREAM_BYTES];
        let mut tail = Vec::new();
        let (mut lines, mut frames) = (0, 0);
        loop {
            let read = self.stream.read(&mut buffer).await?;
            ensure!(read > 0, "the server closed the connection within a body");
            if streamed.bytes == 0 {
                ensure!(buffer.starts_with(b"HTTP/1.1 200"), "a replay was refused");
            }
            streamed.bytes += read as u64;
            let (all, framing) = breaks(&buffer[..read]);
            lines += all;
            frames += framing;
            tail.extend_from_slice(&buffer[read.saturating_sub(LAST_CHUNK.len())..read]);
            let surplus = tail.len().saturating_sub(LAST_CHUNK.len());
            tail.drain(..surplus);
            if tail == LAST_CHUNK {
                streamed.lines = lines - frames;
                return Ok(streamed);
            }
        }
    }
}

/// Line breaks, and those among them that are HTTP's own: JSON has no bare carriage return.
fn breaks(bytes: &[u8]) -> (u64, u64) {
    let mut counts = (0, 0);
    for byte in bytes {
        counts.0 += u64::from(*byte == b'\n');
        counts.1 += u64::from(*byte == b'\r');
    }
    counts
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads the head if it is all there.
fn head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).context("the head of an answer is no text")?;
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    let Some(status) = status else { bail!("an answer without a status: {text}") };
    let length = header(text, "content-length");
    if length.is_none() && header(text, "transfer-encoding").is_some() {
        bail!("a chunked answer, which the load generator does not read");
    }
    let body_bytes = length.map_or(Ok(0), str::parse).context("content-length is no number")?;
    Ok(Some(Head { status, bytes: end + 4, body_bytes }))
}

/// A request as bytes; without a token there is no `Authorization`.
pub(crate) fn request(
    method: &str,
    path: &str,
    token: &str,
    headers: &str,
    body: Option<&str>,
) -> String {
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let body_headers = body.map_or_else(String::new, |body| {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    });
    let body = body.unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}{headers}{body_headers}\r\n{body}"
    )
}

/// One request on a connection of its own.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&str>,
) -> anyhow::Result<Answer> {
    let call = async {
        let mut connection = Connection::open(address).await?;
        connection.ask(request(method, path, token, "", body).as_bytes()).await
    };
    tokio::time::timeout(CALL_LIMIT, call)
        .await
        .with_context(|| format!("{method} {path}: no answer in time"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(head(&bytes[..40]).unwrap(), None);
        let read = head(bytes).unwrap().unwrap();
        assert_eq!((read.status, read.body_bytes), (201, 7));
        assert_eq!(read.bytes + read.body_bytes, bytes.len());
    }

    #[test]
    fn a_chunked_answer_is_refused_rather_than_misread() {
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn line_breaks_of_http_are_told_from_those_of_the_body() {
        let (all, framing) =
            breaks(b"HTTP/1.1 200 OK\r\n\r\n10\r\n{\"a\":1}\n{\"b\":2}\n\r\n0\r\n\r\n");
        assert_eq!(all - framing, 2);
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let text = request("POST", "/x", "t", "idempotency-key: k\r\n", Some("{}"));
        assert!(text.ends_with(
            "idempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        ));
        assert!(text.contains("authorization: Bearer t\r\n"));
    }
}
