//! `annals verify`: recomputes chains and trees from a replay, without network or database, and names the first event that was altered or is missing; or compares
//! a file with its signed manifest.

mod anchor;
mod check;
mod exported;
mod record;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use platform::transparency::note::VerifierKey;
use serde_json::json;

use super::table::Table;
use anchor::Anchor;
use check::{Check, Fault, Head, Report};

/// Read at once; large reads leave more of the time to hashing.
const READ_BYTES: usize = 1 << 20;
/// A signed note is shorter.
const NOTE_MOST_BYTES: u64 = 1 << 16;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What `annals events replay` wrote, - for standard input; with --manifest, the file of an export
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the file must lead, as an earlier verification printed it: finds what is cut off at
    /// the end and a history that was rewritten as a whole; may be repeated
    #[arg(long, value_name = "[TENANT:]SEQ:CHAIN")]
    head: Vec<Head>,
    /// Where an earlier file ended that this one goes on from; may be repeated
    #[arg(long, value_name = "[TENANT:]SEQ:CHAIN")]
    after: Vec<Head>,
    /// A signed checkpoint that was kept elsewhere: finds whatever was done to the events that it
    /// covers, also a chain computed anew; the file is then one organisation's; may be repeated
    #[arg(long, value_name = "NOTE", conflicts_with = "after")]
    checkpoint: Vec<PathBuf>,
    /// The manifest of an export, as `annals export manifest` wrote it: finds whether the file is the one that was made, and names what differs
    #[arg(long, value_name = "MANIFEST", conflicts_with_all = ["head", "after", "checkpoint", "leaves"])]
    manifest: Option<PathBuf>,
    /// The public key that must have signed the checkpoints or the manifest; without it whoever kept them vouches
    #[arg(long, value_name = "VKEY")]
    key: Vec<VerifierKey>,
    /// The leaves that the last checkpoint covers, kept with it: names the first altered event also
    /// where the chain was computed anew
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    leaves: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(manifest) = &arguments.manifest {
        return exported::run(&arguments.file, manifest, &arguments.key, arguments.json);
    }
    ensure!(
        arguments.key.is_empty() || !arguments.checkpoint.is_empty(),
        "--key goes with --checkpoint or --manifest"
    );
    let mut check = Check::new(&arguments.after, &arguments.head);
    if let Some(anchor) = arguments.anchor()? {
        check = check.against(anchor);
    }
    let outcome = if arguments.file.as_os_str() == "-" {
        check::verify(std::io::stdin().lock(), &mut check)
    } else {
        check::verify(open(&arguments.file)?, &mut check)
    };
    let (report, fault) = outcome.context("the replay cannot be read to its end")?;
    if arguments.json {
        let (ok, compared) = (fault.is_none(), check.compared());
        let covered = (!arguments.checkpoint.is_empty()).then_some(compared);
        println!("{}", json!({ "ok": ok, "fault": fault, "tenants": report, "covered": covered }));
    } else {
        print(&report, fault.as_ref());
        if fault.is_none() && !arguments.checkpoint.is_empty() {
            arguments.print_covered(&report, check.compared());
        }
    }
    Ok(ExitCode::from(u8::from(fault.is_some())))
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::with_capacity(READ_BYTES, file))
}

impl Arguments {
    /// What the replay must lead to.
    fn anchor(&self) -> anyhow::Result<Option<Anchor>> {
        if self.checkpoint.is_empty() {
            return Ok(None);
        }
        let read = |path: &PathBuf| {
            let name = path.display();
            let mut signed = String::new();
            open(path)?
                .take(NOTE_MOST_BYTES)
                .read_to_string(&mut signed)
                .with_context(|| format!("cannot read {name}"))?;
            anchor::checkpoint(&signed, &self.key)
                .with_context(|| format!("{name} is not believed"))
        };
        let checkpoints = self.checkpoint.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let anchor = Anchor::new(checkpoints)?;
        let Some(leaves) = &self.leaves else { return Ok(Some(anchor)) };
        ensure!(leaves.as_os_str() != "-", "--leaves must be a file: it is read twice");
        anchor.proves(open(leaves)?).with_context(|| leaves.display().to_string())?;
        Ok(Some(anchor.with_leaves(Box::new(open(leaves)?))))
    }

    fn print_covered(&self, report: &[Report], covered: u64) {
        let events: u64 = report.iter().map(|tenant| tenant.events).sum();
        println!("{covered} events are those of the checkpoint");
        if events > covered {
            let later = events - covered;
            println!("{later} came later: the chain alone holds them until a newer checkpoint");
        }
        if self.key.is_empty() {
            println!("without --key nobody asked who signed the checkpoint");
        }
    }
}

fn print(report: &[Report], fault: Option<&Fault>) {
    let mut table = Table::new(&["organisation", "events", "head (for --head and --after)"]);
    for tenant in report {
        let head = format!("{}:{}:{}", tenant.tenant_id, tenant.last_seq, tenant.chain);
        table.row([tenant.tenant_id.to_string(), tenant.events.to_string(), head]);
    }
    print!("{table}");
    match fault {
        None => println!("every event is as it was recorded, and none is missing"),
        Some(fault) => eprintln!("annals: {fault}"),
    }
}
