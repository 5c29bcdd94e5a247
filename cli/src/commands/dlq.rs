//! `annals dlq`: jobs that were given up, and another chance for them.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use platform::config::Settings;
use platform::db::{self, Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workers::admin::{self, Listed, Shown, Verdict};

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
    /// All that is known of a job
    Show {
        /// The job
        id: Uuid,
        /// Also what it was told, which may hold what is nobody's business
        #[arg(long)]
        reveal: bool,
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// Try whether jobs would be done now, without any effect
    Test {
        /// The jobs
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<Uuid>,
        /// Every job that was given up, the latest first
        #[arg(long)]
        all: bool,
        /// Most jobs to try of all
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// Leave a job as it is for good
    Skip {
        /// The job
        id: Uuid,
        /// Why
        #[arg(long)]
        reason: String,
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
    let outcome = act(&pool, &settings, arguments.action).await;
    pool.close().await;
    outcome
}

async fn act(pool: &PgPool, settings: &Settings, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::List { limit, json } => {
            let dead = admin::dead(pool, limit).await?;
            if json {
                println!("{}", dead.iter().map(as_json).collect::<Value>());
            } else {
                print(dead);
            }
        }
        Action::Show { id, reveal, json } => {
            let Some(shown) = admin::show(pool, id).await? else { return Ok(absent(id)) };
            let shown = in_full(&shown, reveal);
            if json { println!("{shown}") } else { println!("{shown:#}") }
        }
        Action::Test { all: true, limit, json, ids: _ } => {
            return test(settings, &admin::dead(pool, limit).await?, json).await;
        }
        Action::Test { ids, json, .. } => {
            let mut dead = Vec::with_capacity(ids.len());
            for id in ids {
                match admin::show(pool, id).await? {
                    Some(shown) if shown.listed.state == "dead" => dead.push(shown.listed),
                    Some(_) | None => return Ok(absent(id)),
                }
            }
            return test(settings, &dead, json).await;
        }
        Action::Skip { id, reason } => {
            ensure!(
                !reason.trim().is_empty(),
                "--reason is empty; say why the job is left as it is"
            );
            if !admin::skip(pool, id, reason.trim()).await? {
                return Ok(absent(id));
            }
            println!("{id} stays as it is");
        }
        Action::Retry { id, all: _ } => {
            let number = admin::retry(pool, id).await?;
            if let Some(id) = id.filter(|_| number == 0) {
                return Ok(absent(id));
            }
            println!("{number} job(s) are in the queue again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn absent(id: Uuid) -> ExitCode {
    eprintln!("annals: no job {id} was given up; see `annals dlq list`");
    ExitCode::FAILURE
}

/// Exit code 1 when one of them would not be done.
async fn test(settings: &Settings, dead: &[Listed], json: bool) -> anyhow::Result<ExitCode> {
    let verdicts = admin::test(settings, dead).await?;
    let tried = dead.iter().zip(&verdicts).map(|(job, verdict)| match verdict {
        Verdict::Passes => (job, "passes", ""),
        Verdict::Fails(reason) => (job, "fails", reason.as_str()),
        Verdict::Untestable => (job, "untestable", "it cannot be tried without its effect"),
    });
    if json {
        let one = |(job, verdict, reason): (&Listed, &str, &str)| json!({"job_id": job.job_id, "kind": job.kind, "verdict": verdict, "reason": reason});
        println!("{}", tried.map(one).collect::<Value>());
    } else {
        let mut table = Table::new(&["job", "kind", "now", "why"]);
        for (job, verdict, reason) in tried {
            table.row([job.job_id.to_string(), job.kind.clone(), verdict.into(), reason.into()]);
        }
        print!("{table}");
    }
    let fails = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Fails(_)));
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything, but what it was told only for whoever asks for it.
fn in_full(shown: &Shown, reveal: bool) -> Value {
    let mut full = as_json(&shown.listed);
    full["state"] = shown.listed.state.as_str().into();
    full["run_at"] = json!(shown.listed.run_at);
    full["worker"] = json!(shown.worker);
    full["cause"] = json!(shown.cause);
    full["body"] = if reveal { shown.body.clone() } else { "shown with --reveal".into() };
    full
}

fn as_json(job: &Listed) -> Value {
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
    println!(
        "Try whether one would be done now with: annals dlq test JOB; then annals dlq retry JOB"
    );
}
