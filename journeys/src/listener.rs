//! A program elsewhere that hears of events: a real HTTP server on the loopback address, which is not ours and counts what it hears.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// One thing that it heard.
#[derive(Debug, Clone, Deserialize)]
pub struct Heard {
    /// Where.
    pub path: String,
    /// The body as it came.
    pub body: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

impl Heard {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The event.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The program; dropping it ends it.
pub struct Listener {
    child: Child,
    folder: TempDir,
    /// Where it listens.
    pub url: String,
}

impl Listener {
    /// Starts one that takes everything.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("annals-listener-").tempdir()?;
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("listener.py")]).arg(folder.path());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("install python3")?;
        let said = child.stdout.take().context("its output is not ours")?;
        let mut port = String::new();
        BufReader::new(said).read_line(&mut port)?;
        Ok(Self { child, folder, url: format!("http://127.0.0.1:{}", port.trim()) })
    }

    /// Has it answer at a path with this status from now on.
    pub fn answer(&self, path: &str, status: u16) -> anyhow::Result<()> {
        let name = path.trim_matches('/').replace('/', "_");
        Ok(std::fs::write(self.folder.path().join(name), status.to_string())?)
    }

    /// All that it heard, in order.
    pub fn heard(&self) -> anyhow::Result<Vec<Heard>> {
        let text = std::fs::read_to_string(self.folder.path().join("heard.ndjson"));
        let text = text.unwrap_or_default();
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// How often it heard of each event at a path.
    pub fn counted(&self, path: &str) -> anyhow::Result<BTreeMap<String, usize>> {
        let mut counted = BTreeMap::new();
        for heard in self.heard()?.iter().filter(|heard| heard.path == path) {
            *counted.entry(heard.header("webhook-id").to_owned()).or_default() += 1;
        }
        Ok(counted)
    }

    /// Of all that it heard, in order, what has a signature by this secret, as Python's own HMAC has it.
    pub fn verified(&self, secret: &str) -> anyhow::Result<Vec<bool>> {
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("verify.py")]).arg(self.folder.path()).arg(secret);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{said}");
        let lines = String::from_utf8(output.stdout)?;
        Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}
