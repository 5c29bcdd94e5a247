//! What the commands run: cargo, and the program it builds.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::{apart, packages, root};

/// Starts everything, in place of this process, so that Ctrl-C goes straight to it.
pub(crate) fn up(arguments: &[OsString]) -> anyhow::Result<()> {
    packages::install_for_up()?;
    let mut run = cargo();
    // Not quietly: the first build takes minutes.
    run.args(["run", "--package", "cli", "--bin", "annals", "--", "up"]).args(arguments);
    // The data folder stands in the root wherever one calls from, unless one says where.
    if arguments.iter().any(|argument| argument.to_string_lossy().starts_with("--data")) {
        run.current_dir(std::env::current_dir().context("cannot tell the current folder")?);
    }
    Err(run.exec()).context("cannot run cargo")
}

/// Builds everything and runs all tests beside fresh engines.
pub(crate) fn test(arguments: &[OsString]) -> anyhow::Result<()> {
    packages::install_for_tests()?;
    // Bins and tests together: the same features, so nothing is built twice.
    finish(cargo().args(["build", "--workspace", "--all-targets"]))?;
    finish(&mut beside_engines(&test_runner()?, arguments)?)
}

/// Format, lints, tests, and cargo-deny where it is installed.
pub(crate) fn ci() -> anyhow::Result<()> {
    finish(cargo().args(["fmt", "--all", "--", "--check"]))?;
    finish(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    if has_subcommand("deny") {
        // Advisories come from the network and change by themselves: they fail no change.
        finish(cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;
    }
    test(&[])
}

/// Runs the tests that compare committed files with what the code says, told to write them instead.
pub(crate) fn generate() -> anyhow::Result<()> {
    packages::install_for_tests()?;
    finish(cargo().args(["build", "--workspace", "--all-targets"]))?;
    let filter = ["--", "committed", "generated"].map(OsString::from);
    finish(beside_engines(&test_runner()?, &filter)?.env("ANNALS_GENERATE", "1"))
}

/// Builds as for users and measures beside fresh engines.
pub(crate) fn bench(arguments: &[OsString]) -> anyhow::Result<()> {
    packages::install_for_tests()?;
    finish(cargo().args(["build", "--release", "--package", "cli", "--package", "bench"]))?;
    let release = target_dir()?.join("release");
    let mut command = Command::new(release.join("annals"));
    command.args(["engines", "--"]).arg(release.join("bench")).arg("run").args(arguments);
    finish(command.current_dir(root()))
}

/// Sends requests made by schemathesis, in an environment of its own, to a house that ends with it.
pub(crate) fn fuzz(arguments: &[OsString]) -> anyhow::Result<()> {
    packages::install_for_tests()?;
    let schemathesis = packages::schemathesis(&target_dir()?.join("schemathesis"))?;
    finish(cargo().args(["build", "--package", "cli", "--package", "journeys", "--bins"]))?;
    let mut run = cargo();
    run.args(["run", "--quiet", "--package", "journeys", "--bin", "fuzz", "--", "--schemathesis"]);
    finish(run.arg(schemathesis).args(arguments))
}

fn test_runner() -> anyhow::Result<Vec<OsString>> {
    if has_subcommand("nextest") {
        return Ok(["nextest", "run", "--workspace"].map(OsString::from).into());
    }
    let mut words = ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]
        .map(OsString::from)
        .to_vec();
    words.extend(["--config".into(), apart::setting(&target_dir()?.join("debug/xtask"))?]);
    Ok(words)
}

fn beside_engines(runner: &[OsString], arguments: &[OsString]) -> anyhow::Result<Command> {
    let mut command = Command::new(target_dir()?.join("debug/annals"));
    command.args(["engines", "--"]).arg(cargo().get_program()).args(runner).args(arguments);
    command.current_dir(root());
    Ok(command)
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let line = words.join(" ");
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run {line}"))?;
    anyhow::ensure!(status.success(), "failed: {line}");
    Ok(())
}

fn has_subcommand(name: &str) -> bool {
    cargo().args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

fn target_dir() -> anyhow::Result<PathBuf> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata failed")?;
    let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(folder.into())
}
