//! `annals projections`, `rebuild` and `prove`: how read models stand, what is held back, and whether they are what the log says.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use events::TenantId;
use platform::config::Settings;
use platform::db::{self, Role};
use projectors::admin;
use projectors::runtime::projection::Projection;
use projectors::{Proof, WrongRow};
use serde_json::json;
use sqlx::PgPool;

use super::table::Table;
use crate::preflight;

/// A rebuild reads and writes at once.
const POOL_SIZE: u32 = 4;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// How every read model stands
    List(Form),
    /// What is held back because an event could not be applied
    Parked(Form),
    /// Try a group again that is held back
    Retry(Retry),
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct Form {
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Retry {
    /// The read model
    name: String,
    /// The group, as `annals projections parked` names it
    group: String,
    /// The organisation, when several have such a group
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    /// The read model
    name: String,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, clap::Args)]
pub(super) struct Prove {
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let pool = pool().await?;
    let outcome = match arguments.action {
        Action::List(form) => list(&pool, form).await,
        Action::Parked(form) => parked(&pool, form).await,
        Action::Retry(retry) => retry.run(&pool).await,
    };
    pool.close().await;
    outcome
}

pub(super) async fn rebuild(arguments: Rebuild) -> anyhow::Result<ExitCode> {
    let pool = pool().await?;
    let outcome = admin::rebuild(&pool, &with_keys()?, &arguments.name).await;
    pool.close().await;
    let (built, digest) = outcome?;
    if arguments.form.json {
        let report = json!({
            "name": built.name,
            "position": built.position,
            "events": built.events,
            "parked": built.parked,
            "seconds": built.seconds,
            "rows": digest.rows,
            "digest": digest.digest,
        });
        println!("{report}");
    } else {
        println!(
            "{} is rebuilt: {} events up to position {} in {:.1} s, {} rows, digest {}",
            built.name, built.events, built.position, built.seconds, digest.rows, digest.digest
        );
        if built.parked > 0 {
            println!("{} groups are held back; see `annals projections parked`", built.parked);
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn prove(arguments: Prove) -> anyhow::Result<ExitCode> {
    let pool = pool().await?;
    let outcome = admin::prove(&pool, &with_keys()?).await;
    pool.close().await;
    let proofs = outcome?;
    let equal = proofs.iter().all(|proof| proof.equal);
    if arguments.form.json {
        println!("{}", json!({ "equal": equal, "proofs": proofs }));
    } else {
        print(&proofs);
    }
    Ok(ExitCode::from(u8::from(!equal)))
}

/// Every projection, able to open what is personal in events.
fn with_keys() -> anyhow::Result<Vec<Arc<dyn Projection>>> {
    projectors::with_keys(&Settings::load()?)
}

async fn pool() -> anyhow::Result<PgPool> {
    let settings = Settings::load()?;
    ensure!(!settings.database_url.is_empty(), "DATABASE_URL is not set; it names the database");
    let pool = db::connect(&settings.database_url, Role::Projectors, POOL_SIZE).await?;
    let schema = preflight::schema_pool(&settings.database_url).await?;
    let checked = preflight::check_schema(&schema).await;
    schema.close().await;
    checked?;
    Ok(pool)
}

async fn list(pool: &PgPool, form: Form) -> anyhow::Result<ExitCode> {
    let all = admin::list(pool, &projectors::all()).await?;
    if form.json {
        println!("{}", json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["name", "state", "build", "position", "behind", "seconds", "parked", "error"]);
    for status in all {
        let build = status.build.map_or("-".into(), |build| build.to_string());
        let state = match status.rebuild_position {
            Some(position) => format!("{} (next at {position})", status.state),
            None => status.state,
        };
        table.row([
            status.name,
            state,
            build,
            status.position.to_string(),
            status.lag_positions.to_string(),
            format!("{:.1}", status.lag_seconds),
            status.parked.to_string(),
            status.error.unwrap_or_default(),
        ]);
    }
    print!("{table}");
    Ok(ExitCode::SUCCESS)
}

async fn parked(pool: &PgPool, form: Form) -> anyhow::Result<ExitCode> {
    let all = admin::parked(pool).await?;
    if form.json {
        println!("{}", json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        println!("nothing is held back");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["name", "organisation", "group", "position", "event", "tries", "error"]);
    for group in all {
        table.row([
            group.projection,
            group.tenant_id.to_string(),
            group.group_key,
            group.position.to_string(),
            group.event_type,
            group.attempts.to_string(),
            group.error,
        ]);
    }
    print!("{table}");
    println!("Try one again with: annals projections retry NAME GROUP");
    Ok(ExitCode::SUCCESS)
}

impl Retry {
    async fn run(&self, pool: &PgPool) -> anyhow::Result<ExitCode> {
        let tenant = match self.tenant {
            Some(tenant) => tenant,
            None => self.only_tenant(pool).await?,
        };
        let (name, group) = (&self.name, &self.group);
        let stays = admin::retry(pool, &with_keys()?, name, tenant, group).await?;
        match stays {
            None => println!("{group} of {name} is right again"),
            Some(reason) => {
                eprintln!("annals: {group} of {name} stays held back: {reason}");
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn only_tenant(&self, pool: &PgPool) -> anyhow::Result<TenantId> {
        let all = admin::parked(pool).await?;
        let mut tenants = all
            .iter()
            .filter(|held| held.projection == self.name && held.group_key == self.group)
            .map(|held| TenantId(held.tenant_id));
        let first = tenants.next().with_context(|| {
            format!(
                "{} holds no group {} back; see `annals projections parked`",
                self.name, self.group
            )
        })?;
        ensure!(
            tenants.all(|tenant| tenant == first),
            "several organisations have it; give --tenant"
        );
        Ok(first)
    }
}

fn print(proofs: &[Proof]) {
    let mut table = Table::new(&["name", "position", "rows", "digest", "is what the log says"]);
    for proof in proofs {
        let verdict = match (proof.equal, proof.parked) {
            (true, 0) => "yes".into(),
            (true, parked) => format!("yes, but {parked} groups are held back"),
            (false, _) => "NO".into(),
        };
        table.row([
            proof.name.into(),
            proof.position.to_string(),
            proof.rows.to_string(),
            proof.digest.clone(),
            verdict,
        ]);
    }
    print!("{table}");
    for proof in proofs.iter().filter(|proof| !proof.equal) {
        let name = proof.name;
        eprintln!(
            "annals: {name} differs from the log; build it anew with `annals rebuild {name}`"
        );
        if let Some(WrongRow { key, live, shadow }) = &proof.first_wrong_row {
            let row = |row: &Option<serde_json::Value>| {
                row.as_ref().map_or_else(|| "no row".to_owned(), ToString::to_string)
            };
            eprintln!("  first wrong row: {key}");
            eprintln!("  it is:           {}", row(live));
            eprintln!("  it should be:    {}", row(shadow));
        }
    }
}
