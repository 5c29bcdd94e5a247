//! The developer's commands; light, because everybody waits for it before anything else.

mod apart;
mod cargo;
pub mod new_module;
mod packages;
pub mod tidy;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing and start everything: `annals up`
    Up {
        /// For `annals up`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Install what is missing and run all tests beside fresh engines
    Test {
        /// For the test runner, such as a part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// What must pass before a change lands: format, lints, tests, and licences if cargo-deny is there
    Ci,
    /// Write the committed generated files anew
    Generate,
    /// Measure, optimised and beside fresh engines; prints tables and writes target/bench/*.json
    Bench {
        /// For the benchmark: scenarios such as `commands`, and `--rounds`, `--seconds`, `--quick`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Send thousands of requests made from the OpenAPI documents, good and bad, to a house of its own; needs Python 3
    Fuzz {
        /// Such as `--cases 20000`, `--seed 1`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run each test of a binary in a process of its own; for `test`, where nextest is not installed
    #[command(hide = true)]
    EachTestApart {
        /// The tests' binary
        binary: PathBuf,
        /// Which of its tests
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write the skeleton of a module in every process, and say what to add by hand
    NewModule {
        /// Its name: `snake_case`, the same everywhere
        name: String,
        /// Its first aggregate: a singular noun
        #[arg(default_value = "record")]
        aggregate: String,
    },
}

/// Reads the command line, does it, and says in one line what went wrong.
pub fn main() -> ExitCode {
    let outcome = match Xtask::parse().command {
        Command::Up { arguments } => cargo::up(&arguments),
        Command::Test { arguments } => cargo::test(&arguments),
        Command::Ci => cargo::ci(),
        Command::Generate => cargo::generate(),
        Command::Bench { arguments } => cargo::bench(&arguments),
        Command::Fuzz { arguments } => cargo::fuzz(&arguments),
        Command::EachTestApart { binary, arguments } => apart::run(&binary, &arguments),
        Command::NewModule { name, aggregate } => new_module::run(&name, &aggregate),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the working tree that this was built from.
pub fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
