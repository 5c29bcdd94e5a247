//! `annals import`: brings what others keep into an organisation, through the public API.

mod apply;
mod casbin;
mod compare;
mod existing;
mod matrix;
mod names;
mod plan;
mod progress;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Subcommand;
use serde_json::json;

use super::client::{Client, Options};
use compare::{Comparison, Differences};
use matrix::Reading;
use plan::Plan;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Users, permissions, roles and assignments from an access matrix
    Access(Access),
}

/// Each line of a file is a user and a permission, separated by white space; blank lines and lines
/// that begin with # are left out. Users get the name as their handle. A permission written
/// resource.path:action is used as it is; any other name is the permission access.NAME:use, where
/// every byte other than a-z, 0-9 and - is written _ and two hexadecimal digits (x__ stands before
/// a name that does not begin with a-z or 0-9). Users with the same permissions share a role named
/// after them, "import DIGEST". Nothing is taken away: a user who was imported before with other
/// permissions keeps those as well. It can be broken off and run again, also by two at once.
///
/// A file whose name ends in .csv is a policy in Casbin's format, such as GET /rbac/policy.csv writes:
/// roles with their grants, inheritance and levels, permissions, and who holds what where and until
/// when. Roles that are there get exactly the grants of the file; nothing else is taken away.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Access {
    /// The matrix, or a policy (.csv)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    client: Options,
    /// How many commands are under way at once
    #[arg(long, value_name = "N", default_value = "16")]
    concurrency: NonZeroUsize,
    /// Leave out lines that cannot be used, instead of importing nothing
    #[arg(long)]
    skip_bad: bool,
    /// Change nothing; compare the effective permissions of everybody with the files
    #[arg(long)]
    verify: bool,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.what {
        What::Access(access) => access_matrix(access).await,
    }
}

async fn access_matrix(access: Access) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    if access.files.iter().any(|file| casbin::is_casbin(file)) {
        return policy(&access).await;
    }
    let mut reading = Reading::default();
    let mut bad: u64 = 0;
    for file in &access.files {
        reading.file(file, &mut |fault| {
            bad += 1;
            eprintln!("{fault}");
        })?;
    }
    if bad > 0 && !access.skip_bad {
        eprintln!("annals: {bad} line(s) cannot be used; nothing was imported");
        return Ok(ExitCode::FAILURE);
    }
    let plan = Plan::of(reading.end()).map_err(anyhow::Error::msg)?;
    let client = Client::start(&access.client).await?;
    let outcome = if access.verify {
        verify(&client, &plan, &access).await
    } else {
        let import = Import { access: &access, plan: &plan, bad, began };
        import.run(&client).await
    };
    client.sign_out().await;
    outcome
}

async fn policy(access: &Access) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        access.files.iter().all(|file| casbin::is_casbin(file)) && !access.verify,
        "policies (.csv) are imported by themselves, and compared by reading policy.csv again"
    );
    let client = Client::start(&access.client).await?;
    let outcome = casbin::import(&client, &access.files, access.skip_bad).await;
    client.sign_out().await;
    let done = serde_json::to_string(&outcome?)?;
    if access.json {
        println!("{done}");
    } else {
        println!("created: {done}");
    }
    Ok(ExitCode::SUCCESS)
}

struct Import<'a> {
    access: &'a Access,
    plan: &'a Plan,
    bad: u64,
    began: Instant,
}

impl Import<'_> {
    async fn run(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let done = apply::apply(client, self.plan, self.access.concurrency).await?;
        let seconds = self.began.elapsed().as_secs_f64();
        if self.access.json {
            let mut report = json!(done);
            report["pairs"] = json!(self.plan.pairs());
            report["skipped_lines"] = json!(self.bad);
            report["seconds"] = json!(seconds);
            println!("{report}");
        } else {
            let (users, skipped) = (self.plan.users.len(), self.bad);
            let pairs = self.plan.pairs();
            println!("{pairs} pairs of {users} users in {seconds:.1} s, {skipped} lines skipped");
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn verify(client: &Client, plan: &Plan, access: &Access) -> anyhow::Result<ExitCode> {
    let found = compare::compare(client, plan, access.concurrency).await?;
    if access.json {
        println!("{}", json!({ "exact": found.is_exact(), "comparison": found }));
    } else {
        print(&found);
    }
    Ok(ExitCode::from(u8::from(!found.is_exact())))
}

fn print(found: &Comparison) {
    let Comparison { users, equal, missing, extra } = found;
    let (lacking, beyond) = (missing.count, extra.count);
    println!("{users} users: {equal} pairs as in the files, {lacking} missing, {beyond} too many");
    for (word, Differences { count, first }) in [("missing", missing), ("too many", extra)] {
        for (user, permission) in first {
            println!("{word}: {user} {permission}");
        }
        if *count > first.len() {
            println!("{word}: and {} more", count - first.len());
        }
    }
}
