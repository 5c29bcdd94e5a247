//! An installation as the documents tell a reader to start it, and a shell beside it in which their commands are run.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::blocks::{Block, Document, fits};

/// How long the commands of one document may take.
const LIMIT: Duration = Duration::from_mins(2);
/// Stands around the number of each step in what the shell says.
const MARK: char = '\u{1e}';
/// What a document has a reader fill in.
const PASSWORD: &str = "'as printed by annals up'";

/// Where the documents differ from what a reader does: a stream that is watched until somebody ends it is ended once it has
/// shown an event, which is brought about as soon as it is open.
const PRELUDE: &str = r#"set -eo pipefail
curl() {
  case " $* " in
    *" -sN "*)
      while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
          retry:*) command curl -s "$C/users" -H "$AUTH" -H "$JSON" -d '{"handle":"berta"}' >/dev/null;;
          data:*) break;;
        esac
      done < <(timeout 60 curl "$@");;
    *) command curl "$@";;
  esac
}
"#;

/// `annals up`, with a folder to work in beside its data.
pub(crate) struct Installation {
    child: Child,
    folder: TempDir,
}

/// What a step said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
}

impl Installation {
    pub(crate) fn start() -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("annals-documents-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
        let mut command = Command::new(journeys::house::annals()?);
        for variable in ["DATABASE_URL", "NATS_URL", "REDIS_URL", "SMTP_URL", "MAIL_FROM"] {
            command.env_remove(variable);
        }
        let mut child =
            command.arg("up").current_dir(folder.path()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("it says nothing")?;
        let installation = Self { child, folder };
        for line in BufReader::new(output).lines() {
            if line?.starts_with("Shell:") {
                return Ok(installation);
            }
        }
        anyhow::bail!("annals up ended before it was ready")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(".annals")
    }

    /// The working folder of a document, in which the data is where a reader has it.
    fn workplace(&self, document: &str) -> anyhow::Result<PathBuf> {
        let place = self.folder.path().join(document.replace('/', "-"));
        std::fs::create_dir(&place)?;
        std::os::unix::fs::symlink(self.data(), place.join(".annals"))?;
        Ok(place)
    }

    fn password(&self) -> anyhow::Result<String> {
        let kept: Value =
            serde_json::from_slice(&std::fs::read(self.data().join("installation.json"))?)?;
        Ok(kept["demo"]["password"].as_str().context("no demo")?.to_owned())
    }

    pub(crate) fn database_url(&self) -> anyhow::Result<String> {
        let environment = std::fs::read_to_string(self.data().join("env"))?;
        let line = environment.lines().find_map(|line| line.strip_prefix("DATABASE_URL="));
        Ok(line.context("no DATABASE_URL")?.trim_matches('\'').to_owned())
    }

    /// Runs what a document has a shell run, in order, after what `before` has it run; what each step said.
    pub(crate) async fn run(
        &self,
        before: Option<&Document>,
        document: &Document,
        is_run: impl Fn(&Block) -> bool,
    ) -> anyhow::Result<Vec<Said>> {
        let place = self.workplace(&document.path)?;
        let mut script = PRELUDE.to_owned();
        for block in
            before.iter().flat_map(|before| &before.blocks).filter(|block| block.language == "sh")
        {
            script += &block.text;
        }
        let blocks = document.blocks.iter().filter(|block| is_run(block));
        let steps: Vec<_> = blocks.flat_map(Block::steps).collect();
        for (number, step) in steps.iter().enumerate() {
            script += &mark(number);
            script += &step.command;
        }
        script += &mark("end");
        let script = script.replace(PASSWORD, &format!("'{}'", self.password()?));
        let output = self.bash(&place, &script).await.with_context(|| document.path.clone())?;
        let mut said: Vec<Said> = Vec::new();
        for (step, shown) in
            steps.iter().enumerate().map(|(number, step)| (step, answer(&output, number)))
        {
            let place = format!("{}:{}", document.path, step.line);
            let (text, went_on) = shown.with_context(|| format!("{place} was not reached"))?;
            anyhow::ensure!(went_on, "{place} failed:\n{}\n{text}", step.command);
            if let Some(shown) = &step.shown {
                anyhow::ensure!(
                    fits(shown, &text),
                    "{place} shows\n{shown}\nbut was answered\n{text}"
                );
            } else {
                anyhow::ensure!(!is_refused(&text), "{place} was refused:\n{text}");
            }
            said.push(Said { text });
        }
        Ok(said)
    }

    async fn bash(&self, place: &Path, script: &str) -> anyhow::Result<String> {
        let file = place.join(".session.sh");
        std::fs::write(&file, script)?;
        let program = journeys::house::annals()?;
        let folder = program.parent().context("the program lies nowhere")?;
        let path = format!(
            "{}:{}",
            folder.display(),
            std::env::var_os("PATH").unwrap_or_default().display()
        );
        let mut shell = tokio::process::Command::new("bash");
        shell.args(["-c", "exec 2>&1; . ./.session.sh"]).current_dir(place).env("PATH", path);
        let shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = tokio::time::timeout(LIMIT, shell.wait_with_output()).await;
        let output = output.with_context(|| format!("not done after {} s", LIMIT.as_secs()))??;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let _already_gone = kill(pid, Signal::SIGTERM);
        let _already_gone = self.child.wait();
    }
}

/// What a step said, if it was reached, and whether the next one was.
fn answer(output: &str, number: usize) -> Option<(String, bool)> {
    let (_, from) = output.split_once(&format!("{MARK}{number}{MARK}"))?;
    let (text, rest) = from.split_once(MARK).unwrap_or((from, ""));
    Some((text.to_owned(), !rest.is_empty()))
}

/// Whether an answer is a problem (RFC 9457).
fn is_refused(text: &str) -> bool {
    let text = text.replace("\": ", "\":");
    ["\"status\":4", "\"status\":5"].iter().any(|status| text.contains(status))
        && text.contains("\"code\":")
}

/// A command that tells which step is next.
fn mark(step: impl std::fmt::Display) -> String {
    format!("printf '{MARK}{step}{MARK}'\n")
}
