//! `cargo xtask bench`: how fast Annals is, beside what else could do its work.

use std::process::ExitCode;

/// The same as the processes of Annals have, for the library beside them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bench::main()
}
