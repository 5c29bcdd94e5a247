//! The `annals` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::commands::main()
}
