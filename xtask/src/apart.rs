//! Where nextest is not installed: each test of a binary in a process of its own, as nextest runs them.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;

/// Engines share the machine: a wait that was stretched is tried again, as with nextest.
const TRIES: usize = 3;

/// What cargo is told, so that it hands every test binary to [`run`] of the program `us`. That is not always the one that
/// speaks here: building everything may have replaced it.
pub(crate) fn setting(us: &Path) -> anyhow::Result<OsString> {
    let us = us.to_str().context("the path of xtask is not text")?;
    Ok(format!("target.'cfg(unix)'.runner=[{us:?}, 'each-test-apart']").into())
}

/// Runs the tests that the arguments choose; says which failed, and what they wrote.
pub(crate) fn run(binary: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    let list = Command::new(binary).args(arguments).arg("--list").output();
    let list = list.with_context(|| format!("cannot run {}", binary.display()))?;
    let list = String::from_utf8_lossy(&list.stdout);
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !passes(binary, test)
                && let Ok(mut failed) = failed.lock()
            {
                failed.push(*test);
            }
        }
    };
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(tests.len());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    eprintln!("{} of {} tests passed", tests.len() - failed.len(), tests.len());
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn passes(binary: &Path, test: &str) -> bool {
    for attempt in 1..=TRIES {
        let alone = [OsStr::new("--exact"), OsStr::new(test)];
        match Command::new(binary).args(alone).output() {
            Ok(output) if output.status.success() => return true,
            Ok(output) => eprintln!(
                "{test} failed (try {attempt} of {TRIES}):\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => eprintln!("{test} could not be run: {error}"),
        }
    }
    false
}
