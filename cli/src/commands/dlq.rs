//! `annals dlq`: jobs that were given up, and another chance for them.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use platform::config::Settings;
use platform::db::{self, Role};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;
use workers::admin::{self, Listed};

use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The jobs that were given up, the latest first
    List {
        /// Most jobs to show
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// Put jobs back into the queue with all their attempts
    Retry {
        /// The job
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<Uuid>,
        /// Every job that was given up
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    ensure!(!settings.database_url.is_empty(), "DATABASE_URL is not set; it names the database");
    let pool = db::connect(&settings.database_url, Role::Workers, 1).await?;
    let outcome = act(&pool, arguments.action).await;
    pool.close().await;
    outcome
}

async fn act(pool: &PgPool, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::List { limit, json } => {
            let dead = admin::dead(pool, limit).await?;
            if json {
                println!("{}", dead.iter().map(as_json).collect::<serde_json::Value>());
            } else {
                print(dead);
            }
        }
        Action::Retry { id, all: _ } => {
            let number = admin::retry(pool, id).await?;
            if let Some(id) = id.filter(|_| number == 0) {
                eprintln!("annals: no job {id} was given up; see `annals dlq list`");
                return Ok(ExitCode::FAILURE);
            }
            println!("{number} job(s) are in the queue again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(job: &Listed) -> serde_json::Value {
    json!({
        "job_id": job.job_id,
        "tenant_id": job.tenant_id,
        "kind": job.kind,
        "subject_id": job.subject_id,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "error": job.error,
        "created_at": job.created_at,
        "changed_at": job.changed_at,
    })
}

fn print(dead: Vec<Listed>) {
    if dead.is_empty() {
        println!("no job was given up");
        return;
    }
    let mut table = Table::new(&["job", "kind", "about", "tries", "given up", "why"]);
    for job in dead {
        table.row([
            job.job_id.to_string(),
            job.kind,
            job.subject_id,
            job.attempt.to_string(),
            format!("{:.0}", job.changed_at),
            job.error.unwrap_or_default(),
        ]);
    }
    print!("{table}");
    println!("Try one again with: annals dlq retry JOB");
}
