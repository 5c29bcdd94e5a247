//! `annals keys`: the keys that sign access tokens, a new one before its time, and an end to one that is known to others.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Subcommand;
use platform::config::Settings;
use platform::db::{self, Role};
use platform::secrets::MasterKey;
use platform::signing_keys::{self, Listed};
use serde_json::json;
use sqlx::PgPool;

use super::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All keys, the newest first
    List {
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the next key now; it signs as soon as every process knows it, and what was signed before stays good
    Rotate,
    /// End a key at once: whoever has a token that it signed must refresh it or sign in again
    Revoke {
        /// Its name, as `annals keys list` shows it
        kid: String,
    },
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    ensure!(!settings.database_url.is_empty(), "DATABASE_URL is not set; it names the database");
    let pool = db::connect(&settings.database_url, Role::CommandApi, 1).await?;
    let outcome = act(&pool, &settings, arguments.action).await;
    pool.close().await;
    outcome
}

async fn act(pool: &PgPool, settings: &Settings, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::List { json } => {
            let keys = signing_keys::list(pool).await?;
            if json {
                println!("{}", keys.iter().map(as_json).collect::<serde_json::Value>());
            } else {
                print(keys);
            }
        }
        Action::Rotate => {
            let master = MasterKey::parse(&settings.master_key)?;
            let kid = signing_keys::rotate(pool, &master).await?;
            println!("{kid} was made and will sign in a moment");
        }
        Action::Revoke { kid } => {
            let ended = signing_keys::revoke(pool, &kid).await?;
            ensure!(ended, "there is no key {kid} in force; see `annals keys list`");
            println!("{kid} has ended; tokens that it signed are refused everywhere in a moment");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(key: &Listed) -> serde_json::Value {
    json!({"kid": key.kid, "state": key.state, "created_at": key.created_at, "not_after": key.not_after})
}

fn print(keys: Vec<Listed>) {
    let mut table = Table::new(&["key", "state", "made", "until"]);
    for key in keys {
        let [made, until] = [key.created_at, key.not_after].map(|time| format!("{time:.0}"));
        table.row([key.kid, key.state, made, until]);
    }
    print!("{table}");
}
