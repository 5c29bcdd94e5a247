//! The engines' Debian packages: which are missing, and their installation.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

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
];

/// Installs what is missing for `annals up`: engines that are given in the environment are not.
pub(crate) fn install_for_up() -> anyhow::Result<()> {
    let given = |need: &Need| std::env::var_os(need.variable).is_some_and(|url| !url.is_empty());
    install(NEEDS.iter().filter(|need| !given(need)))
}

/// Installs what is missing for the tests, which always have engines of their own.
pub(crate) fn install_for_tests() -> anyhow::Result<()> {
    install(NEEDS.iter())
}

fn install<'a>(needs: impl Iterator<Item = &'a Need>) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        needs.filter(|need| !is_there(need.program)).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    anyhow::ensure!(
        is_there("apt-get"),
        "not installed: {list}; this system has no apt-get, so install them by hand"
    );
    eprintln!("Installing {list}");
    let by_hand =
        || format!("cannot install; run as root: apt-get update && apt-get install {list}");
    apt(&["update", "-qq"]).with_context(by_hand)?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments).with_context(by_hand)
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        anyhow::ensure!(
            is_there("sudo"),
            "this user may not install packages and there is no sudo"
        );
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    };
    let status = command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status()?;
    anyhow::ensure!(status.success(), "apt-get {} failed", arguments.join(" "));
    Ok(())
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
        install(std::iter::once(&Need { program: "sh", package: "never", variable: "NEVER" }))
            .unwrap();
    }
}
