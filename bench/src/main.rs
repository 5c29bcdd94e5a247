//! `cargo xtask bench`: how fast Annals is, beside what else could do its work.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::main()
}
