//! Finds the engines' programs on this machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Engine;

/// The oldest Postgres that has all we use.
pub const OLDEST_POSTGRES: u32 = 15;

/// The folder with `postgres` and `initdb`: of the given major version, or of the newest.
pub(super) fn postgres_bin(major: Option<u32>) -> Option<PathBuf> {
    let mut found = debian_postgres();
    found.sort();
    let wanted = |version: u32| major.map_or(version >= OLDEST_POSTGRES, |major| version == major);
    if let Some((_, bin)) = found.into_iter().rev().find(|(version, _)| wanted(*version)) {
        return Some(bin);
    }
    // Elsewhere than on Debian the programs are on the PATH, in one version.
    let bin = on_path("initdb")?.parent()?.to_path_buf();
    bin.join("postgres").is_file().then_some(bin)
}

/// The program of NATS, Redis or the mailbox, or Postgres's server.
pub(super) fn program(engine: Engine) -> Option<PathBuf> {
    match engine {
        Engine::Postgres => Some(postgres_bin(None)?.join("postgres")),
        Engine::Nats | Engine::Redis | Engine::Mail => on_path(engine.program()),
    }
}

/// Refuses in one line when a program is missing, naming all of them.
pub(super) fn require(engines: &[Engine]) -> anyhow::Result<()> {
    let missing: Vec<Engine> =
        engines.iter().copied().filter(|engine| program(*engine).is_none()).collect();
    anyhow::ensure!(missing.is_empty(), "{}", not_installed(&missing));
    Ok(())
}

fn not_installed(missing: &[Engine]) -> String {
    let list = |word: fn(Engine) -> &'static str, between: &str| {
        missing.iter().map(|engine| word(*engine)).collect::<Vec<_>>().join(between)
    };
    format!(
        "not installed: {}; run `cargo xtask up`, or `apt-get install {}`, or give {}",
        list(Engine::program, ", "),
        list(Engine::package, " "),
        list(Engine::variable, ", ")
    )
}

/// The program that gives a child its user and its death signal.
pub(super) fn setpriv() -> anyhow::Result<PathBuf> {
    on_path("setpriv").context("not installed: setpriv; run `apt-get install util-linux`")
}

fn debian_postgres() -> Vec<(u32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            (bin.join("postgres").is_file() && bin.join("initdb").is_file()).then_some((major, bin))
        })
        .collect()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // An ordinary user's PATH lacks the folders in which Debian puts servers.
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_an_ordinary_path_lacks() {
        assert!(on_path("setpriv").is_some());
        assert!(on_path("no-such-program-here").is_none());
    }

    #[test]
    fn what_is_missing_is_named_with_all_remedies() {
        let text = not_installed(&[Engine::Postgres, Engine::Nats]);
        assert_eq!(
            text,
            "not installed: postgres, nats-server; run `cargo xtask up`, or \
             `apt-get install postgresql nats-server`, or give DATABASE_URL, NATS_URL"
        );
    }

    #[test]
    fn takes_the_version_that_made_the_data_or_none() {
        assert!(debian_postgres().is_empty() || postgres_bin(None).is_some());
        if !debian_postgres().is_empty() {
            assert!(
                postgres_bin(Some(7)).is_none_or(|bin| !bin.starts_with("/usr/lib/postgresql"))
            );
        }
    }
}
