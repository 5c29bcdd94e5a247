//! `annals migrate`: brings the schema up or down, says where it is, and lets processes sign in.

mod logins;

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use platform::config::Settings;
use sqlx::PgPool;

use self::logins::Logins;
use crate::preflight;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    logins: Logins,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Say whether migrations are pending; exit code 1 unless the schema is current
    Status,
    /// Apply what is pending, and let each process sign in that a password is given for
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
    let outcome = act(&pool, &arguments).await;
    pool.close().await;
    outcome
}

async fn act(pool: &PgPool, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match arguments.action.unwrap_or(Action::Up) {
        Action::Status => {
            let status = migrations::status(pool).await?;
            println!("{status}");
            return Ok(ExitCode::from(u8::from(status != migrations::Status::Current)));
        }
        Action::Up => {
            report("applied", migrations::up(pool).await?);
            match arguments.logins.allow(pool).await? {
                0 => {}
                number => println!("{number} process(es) may sign in"),
            }
        }
        Action::Down { steps } => report("taken back", migrations::down(pool, steps).await?),
    }
    Ok(ExitCode::SUCCESS)
}

fn report(what: &str, number: usize) {
    println!("{number} migration(s) {what}");
}
