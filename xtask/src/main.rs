//! `cargo xtask`: what a developer of Annals runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
