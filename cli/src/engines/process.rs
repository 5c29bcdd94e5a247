//! A server as a child process that ends when we end, however we end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio::sync::watch;

use super::find;

/// A log longer than this is put aside at the next start.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) pid: Pid,
    /// Ends it politely.
    end: Signal,
    exit: watch::Receiver<Option<ExitStatus>>,
    log: Log,
}

/// What a server wrote since its start.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    from: u64,
}

/// A command that runs as `user`, or as us, with only what it needs of our environment.
pub(super) fn command(
    program: &Path,
    user: Option<&User>,
    end: Option<Signal>,
) -> anyhow::Result<Command> {
    let mut command = Command::new(find::setpriv()?);
    if let Some(user) = user {
        command.args(["--reuid", &user.name]);
        command.args(["--regid", &user.gid.to_string(), "--init-groups"]);
    }
    if let Some(end) = end {
        command.args(["--pdeathsig", end.as_str()]);
    }
    command.arg("--").arg(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    Ok(command)
}

impl Server {
    /// Starts the server; `folder` becomes its working folder, by which a leftover is known later.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        end: Signal,
        folder: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let (file, from) = open_log(log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("cannot share the log file")?)
            .stderr(file)
            .current_dir(folder)
            .process_group(0); // a Ctrl-C in the terminal is for us; we end the engines in order
        let (tell, told) = std::sync::mpsc::channel();
        let (exited, exit) = watch::channel(None);
        // The kernel's parent-death signal follows the thread that forked: this one lives as long
        // as the child, whereas a runtime's thread may go at any time.
        std::thread::Builder::new()
            .name(format!("engine-{name}"))
            .spawn(move || match command.spawn() {
                Ok(mut child) => {
                    let _ = tell.send(Ok(child.id()));
                    exited.send_replace(child.wait().ok());
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            })
            .context("cannot start a thread")?;
        let pid = told
            .recv()
            .context("the starting thread ended")?
            .with_context(|| format!("cannot run {name}"))?;
        let pid = Pid::from_raw(i32::try_from(pid).context("process id out of range")?);
        Ok(Self { name, pid, end, exit, log: Log { path: log.to_path_buf(), from } })
    }

    /// Whether it runs.
    pub(super) fn is_running(&self) -> bool {
        // The sender drops without a value only when waiting failed; then it is not ours any more.
        self.exit.borrow().is_none() && self.exit.has_changed().is_ok()
    }

    /// Returns when the server has ended.
    pub(super) async fn ended(&self) {
        let mut exit = self.exit.clone();
        let _ = exit.wait_for(Option::is_some).await;
    }

    /// Sends a signal, if it still runs.
    pub(super) fn signal(&self, signal: Signal) {
        if self.is_running() {
            let _ = kill(self.pid, signal);
        }
    }

    /// Ends it politely, after `patience` by force.
    pub(super) async fn stop(&self, patience: Duration) {
        self.signal(self.end);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            tracing::warn!(engine = self.name, "did not end in time, killing it");
            self.kill().await;
        }
    }

    /// Ends it as a power cut would, with the processes it started itself.
    pub(super) async fn kill(&self) {
        let children = children_of(self.pid);
        self.signal(Signal::SIGKILL);
        for child in children {
            let _ = kill(child, Signal::SIGKILL);
        }
        self.ended().await;
    }

    /// Its last words in one line, for an error message.
    pub(super) fn last_words(&self) -> String {
        let lines = self.log.lines();
        let telling: Vec<&String> = lines
            .iter()
            .filter(|line| ["FATAL", "PANIC", "ERR", "rror"].iter().any(|w| line.contains(w)))
            .collect();
        let chosen = match telling.as_slice() {
            [] => lines.last().map_or("it wrote nothing", |line| line.as_str()),
            [.., last] => last.as_str(),
        };
        format!("{} (log: {})", chosen.trim(), self.log.path.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(self.end);
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.from))?;
            let mut bytes = Vec::new();
            file.take(256 * 1024).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// Whether a process runs with this working folder: a leftover of ours, not a stranger with a reused id.
pub(super) fn runs_in(pid: Pid, folder: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
}

fn open_log(path: &Path) -> anyhow::Result<(File, u64)> {
    if path.metadata().is_ok_and(|meta| meta.len() > LOG_LIMIT_BYTES) {
        std::fs::rename(path, path.with_extension("log.old"))
            .with_context(|| format!("cannot put {} aside", path.display()))?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let from = file.metadata().map_or(0, |meta| meta.len());
    Ok((file, from))
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent_of(*pid) == Some(parent.as_raw()))
        .map(Pid::from_raw)
        .collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    // The name, in parentheses, may itself hold spaces and parentheses.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Server {
        let end = Signal::SIGTERM;
        let mut command = command(Path::new("/bin/sh"), None, Some(end)).unwrap();
        command.args(["-c", script]);
        Server::start("shell", command, end, folder, &folder.join("shell.log")).unwrap()
    }

    #[tokio::test]
    async fn stops_by_its_signal_and_is_known_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let server = shell("exec sleep 1000", folder.path());
        assert!(server.is_running());
        assert!(runs_in(server.pid, &folder.path().canonicalize().unwrap()));
        server.stop(Duration::from_secs(10)).await;
        assert!(!server.is_running());
    }

    #[tokio::test]
    async fn is_killed_when_it_does_not_listen() {
        let folder = tempfile::tempdir().unwrap();
        let server = shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done", folder.path());
        while !server.last_words().contains("deaf") {
            tokio::task::yield_now().await;
        }
        server.stop(Duration::from_millis(50)).await;
        assert!(!server.is_running());
    }

    #[tokio::test]
    async fn its_last_words_are_the_error_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let server = shell("echo hello; echo 'FATAL: no room'; echo bye; exit 1", folder.path());
        server.ended().await;
        assert!(server.last_words().starts_with("FATAL: no room (log: "));
    }
}
