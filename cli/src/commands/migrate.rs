//! `annals migrate`: brings the schema up or down, or says where it is.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use platform::config::Settings;
use sqlx::PgPool;

use crate::preflight;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Say whether migrations are pending; exit code 1 unless the schema is current
    Status,
    /// Apply what is pending
    Up,
    /// Take back the last migrations
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: usize,
    },
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    ensure!(!settings.database_url.is_empty(), "DATABASE_URL is not set; it names the database");
    let pool = preflight::schema_pool(&settings.database_url).await?;
    let outcome = act(&pool, arguments.action.unwrap_or(Action::Up)).await;
    pool.close().await;
    outcome
}

async fn act(pool: &PgPool, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::Status => {
            let status = migrations::status(pool).await?;
            println!("{status}");
            return Ok(ExitCode::from(u8::from(status != migrations::Status::Current)));
        }
        Action::Up => report("applied", migrations::up(pool).await?),
        Action::Down { steps } => report("taken back", migrations::down(pool, steps).await?),
    }
    Ok(ExitCode::SUCCESS)
}

fn report(what: &str, number: usize) {
    println!("{number} migration(s) {what}");
}
