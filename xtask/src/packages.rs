//! The engines' Debian packages: which are missing, and their installation.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use nix::unistd::geteuid;

/// A program we need, and what brings it.
struct Need {
    program: &'static str,
    package: &'static str,
    /// Given, it makes the program unnecessary.
    variable: &'static str,
}

const NEEDS: &[Need] = &[
    Need { program: "initdb", package: "postgresql", variable: "DATABASE_URL" },
    Need { program: "nats-server", package: "nats-server", variable: "NATS_URL" },
    Need { program: "redis-server", package: "redis-server", variable: "REDIS_URL" },
    Need { program: "aiosmtpd", package: "python3-aiosmtpd", variable: "SMTP_URL" },
];

/// What the documents have a reader use, and what reads our files in tests, small enough to be installed everywhere; `LibreOffice` and
/// pyarrow are not.
const OF_TESTS: &[Need] = &[
    Need { program: "curl", package: "curl", variable: "" },
    Need { program: "jq", package: "jq", variable: "" },
    Need { program: "qpdf", package: "qpdf", variable: "" },
    Need { program: "pdftotext", package: "poppler-utils", variable: "" },
];

/// Installs what is missing for `annals up`: engines that are given in the environment are not.
pub(crate) fn install_for_up() -> anyhow::Result<()> {
    let given = |need: &Need| std::env::var_os(need.variable).is_some_and(|url| !url.is_empty());
    let missing = missing(|need| !given(need));
    let variables: Vec<&str> = missing.iter().map(|need| need.variable).collect();
    install(&missing, &format!(", or give {}", variables.join(", ")))
}

/// Installs what is missing for the tests, which always have engines of their own.
pub(crate) fn install_for_tests() -> anyhow::Result<()> {
    let mut missing = missing(|_| true);
    missing.extend(OF_TESTS.iter().filter(|need| !is_there(need.program)));
    install(&missing, "")
}

fn missing(wanted: impl Fn(&Need) -> bool) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| wanted(need) && !is_there(need.program)).collect()
}

/// `otherwise` ends the line that says what to do where we cannot install.
fn install(missing: &[&Need], otherwise: &str) -> anyhow::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let list = packages.join(" ");
    anyhow::ensure!(
        is_there("apt-get"),
        "not installed: {list}; this system has no apt-get, so install them by hand{otherwise}"
    );
    let remedy = format!("run as root: apt-get update && apt-get install {list}{otherwise}");
    anyhow::ensure!(
        geteuid().is_root() || is_there("sudo"),
        "not installed: {list}; this user may not install packages and there is no sudo; {remedy}"
    );
    eprintln!("Installing {list}; this takes a minute");
    // A source of packages that cannot be read, such as a stranger's, need not be in our way.
    let updated = apt(&["update", "-q"]);
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(&packages);
    apt(&arguments).map_err(|error| {
        let before = updated.unwrap_or_else(|error| Some(error.to_string()));
        let before = before.map(|why| format!(" (apt-get update: {why})")).unwrap_or_default();
        anyhow::anyhow!("cannot install {list}: {error:#}{before}; {remedy}")
    })?;
    if Path::new("/run/systemd/system").is_dir() {
        eprintln!(
            "Debian started services of them, which Annals does not use; to end those: \
             systemctl disable --now {list}"
        );
    }
    Ok(())
}

/// What makes requests from an OpenAPI document; pinned, so that the same seed makes the same cases.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Installs schemathesis from the Python package index into `folder`, unless it is there; its program.
pub(crate) fn schemathesis(folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("bin/st");
    let mark = folder.join("installed");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == SCHEMATHESIS) {
        return Ok(program);
    }
    eprintln!("Installing {SCHEMATHESIS}; this takes a minute");
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
        .context("cannot make a Python environment; install python3 and python3-venv")?;
    let pip = folder.join("bin/pip");
    quietly(Command::new(pip).args(["install", "--quiet", SCHEMATHESIS]))
        .with_context(|| format!("cannot install {SCHEMATHESIS}"))?;
    std::fs::write(mark, SCHEMATHESIS)?;
    Ok(program)
}

fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}", said.trim());
    Ok(())
}

/// Runs apt-get without a word; gives what it could not fetch, and fails with its reason.
fn apt(arguments: &[&str]) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(if geteuid().is_root() { "env" } else { "sudo" });
    if !geteuid().is_root() {
        command.arg("env"); // sudo lets no variable of ours through
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "LANGUAGE=en", "apt-get"]);
    // A fresh machine may be busy with its own upgrades.
    command.args(["-o", "DPkg::Lock::Timeout=120"]).args(arguments).stdin(Stdio::null());
    let output = command.output().context("cannot run apt-get")?;
    let text = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}", reason(&text));
    Ok(said(&text, "W: Failed to fetch "))
}

/// The first error that apt-get named, or else its last words.
fn reason(stderr: &str) -> String {
    let last = || stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
    said(stderr, "E: ")
        .or_else(|| last().map(str::to_owned))
        .unwrap_or_else(|| "apt-get gives no reason".into())
}

fn said(stderr: &str, start: &str) -> Option<String> {
    let words = stderr.lines().find_map(|line| line.strip_prefix(start))?;
    Some(words.trim().trim_end_matches('.').split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a program is installed; Debian puts servers outside an ordinary user's PATH.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(Into::into))
        .chain(versions.map(|version| version.path().join("bin")))
        .any(|folder| Path::new(&folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_and_notices_missing_ones() {
        assert!(is_there("sh"));
        assert!(!is_there("no-such-program-here"));
    }

    #[test]
    fn nothing_missing_installs_nothing() {
        install(&[], "").unwrap();
    }

    #[test]
    fn a_failed_installation_gives_its_first_error() {
        let text = "W: a warning\nE: Unable to locate package nats-server\nE: another\n";
        assert_eq!(reason(text), "Unable to locate package nats-server");
        assert_eq!(reason("sudo: a password is required\n"), "sudo: a password is required");
        assert_eq!(reason(""), "apt-get gives no reason");
        let text = "W: Failed to fetch http://there/  Could not resolve 'there'\n";
        let warned = said(text, "W: Failed to fetch ");
        assert_eq!(warned.unwrap(), "http://there/ Could not resolve 'there'");
    }
}
