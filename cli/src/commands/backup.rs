//! `annals backup`: asking for backups, and what can be done with one when nothing else is left: verify and restore.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use events::BackupId;
use jiff::Timestamp;
use platform::clock;
use platform::config::Settings;
use platform::db::{self, Role};
use platform::files::Files;
use platform::personal::Ledger;
use platform::secrets::MasterKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;
use workers::backups::archive::{self, Key};

use super::client::{Client, Options};
use super::follow;
use super::table::Table;
use crate::preflight;

/// Between two looks at a backup that is being made.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask for a backup; workers make it
    Create(Create),
    /// The organisation's backups
    List(List),
    /// Read a backup and check every byte of it: a file here and now, or a stored one by its id
    Verify(Verify),
    /// Restore a backup file into an empty, migrated database; a new epoch begins
    Restore(Restore),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What to call it
    #[arg(long)]
    name: String,
    /// The whole installation, by its bootstrap token; without it the organisation
    #[arg(long, requires = "bootstrap_token")]
    everything: bool,
    /// The installation's bootstrap token
    #[arg(long, env = "ANNALS_BOOTSTRAP_TOKEN", hide_env_values = true)]
    bootstrap_token: Option<String>,
    /// Wait until it is made; of the whole installation this needs `DATABASE_URL`
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    client: Options,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    client: Options,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// A backup file, or the id of a backup
    #[arg(value_name = "FILE|ID")]
    backup: PathBuf,
    #[command(flatten)]
    client: Options,
}

#[derive(Debug, clap::Args)]
struct Restore {
    /// The backup file; `ANNALS_MASTER_KEY` opens it
    file: PathBuf,
    /// The empty, migrated database
    #[arg(long, value_name = "DATABASE_URL")]
    into: String,
}

/// A backup as the read model has it.
#[derive(Debug, Serialize, Deserialize)]
struct Backup {
    #[serde(rename = "backup_id")]
    id: BackupId,
    name: String,
    scope: String,
    status: String,
    events: Option<i64>,
    size_bytes: Option<i64>,
    error_message: Option<String>,
    verification: String,
    verification_errors: Vec<String>,
    created_at: Timestamp,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::Create(create) if create.everything => create.everything().await,
        Action::Create(create) => create.of_organization().await,
        Action::List(list) => list.run().await,
        Action::Verify(verify) => verify.run().await,
        Action::Restore(restore) => restore.run().await,
    }
}

impl Create {
    async fn of_organization(&self) -> anyhow::Result<ExitCode> {
        let client = Client::start(&self.client).await?;
        let id: BackupId = clock::new_id();
        let body = json!({ "id": id, "name": self.name });
        client.post("/backups", id.0, &body).await?;
        println!("{id}");
        let outcome =
            if self.wait { follow::finished(&client, id.0).await.map(drop) } else { Ok(()) };
        client.sign_out().await;
        outcome?;
        if self.wait {
            println!("succeeded");
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn everything(&self) -> anyhow::Result<ExitCode> {
        let id: BackupId = clock::new_id();
        let token = self.bootstrap_token.clone();
        let options = Options { token, login: None, ..self.client.clone() };
        let client = Client::start(&options).await?;
        let body = json!({ "id": id, "name": self.name });
        client.post("/installation/backups", id.0, &body).await?;
        println!("{id}");
        if self.wait { finished_everything(id).await } else { Ok(ExitCode::SUCCESS) }
    }
}

/// A backup of everything belongs to no organisation, so only the database tells.
async fn finished_everything(id: BackupId) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    ensure!(!settings.database_url.is_empty(), "DATABASE_URL is not set; --wait needs it");
    let pool = db::connect(&settings.database_url, Role::Auditor, 1).await?;
    loop {
        let found: Option<(String, Option<String>)> = sqlx::query_as(
            "select status, error_message from read.backups_backups where backup_id = $1",
        )
        .bind(id.0)
        .fetch_optional(&pool)
        .await?;
        if let Some((status, error)) = found
            && let Some(code) = told(&status, error.as_deref())
        {
            return Ok(code);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn told(status: &str, error: Option<&str>) -> Option<ExitCode> {
    match status {
        "succeeded" => {
            println!("succeeded");
            Some(ExitCode::SUCCESS)
        }
        "failed" => {
            eprintln!("annals: the backup failed: {}", error.unwrap_or("no reason was given"));
            Some(ExitCode::FAILURE)
        }
        "cancelled" => {
            eprintln!("annals: the backup was cancelled");
            Some(ExitCode::FAILURE)
        }
        _ => None, // it goes on
    }
}

impl List {
    async fn run(&self) -> anyhow::Result<ExitCode> {
        let client = Client::start(&self.client).await?;
        let mut backups: Vec<Backup> = Vec::new();
        let token = client.here().await?.token;
        client.list("/backups", &[], &token, |backup| backups.push(backup)).await?;
        client.sign_out().await;
        if self.json {
            println!("{}", json!(backups));
            return Ok(ExitCode::SUCCESS);
        }
        let mut table =
            Table::new(&["backup", "created", "name", "status", "events", "bytes", "verified"]);
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        for backup in backups {
            table.row([
                backup.id.to_string(),
                format!("{:.0}", backup.created_at),
                backup.name,
                backup.status,
                number(backup.events),
                number(backup.size_bytes),
                backup.verification,
            ]);
        }
        print!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    async fn run(&self) -> anyhow::Result<ExitCode> {
        if self.backup.exists() {
            return verify_file(&self.backup);
        }
        let id = self.backup.to_str().and_then(|text| Uuid::try_parse(text).ok());
        let name = self.backup.display();
        let id: BackupId =
            id.with_context(|| format!("{name} is neither a file nor an id"))?.into();
        let client = Client::start(&self.client).await?;
        let key: Uuid = clock::new_id();
        client.post(&format!("/backups/{id}/verify"), key, &json!({})).await?;
        let path = format!("/backups/{id}");
        let code = loop {
            let token = client.here().await?.token;
            let backup: Backup = client.get(&path, Some(&token)).await?;
            match backup.verification.as_str() {
                "passed" => {
                    println!("every byte is as it was written");
                    break ExitCode::SUCCESS;
                }
                "failed" => {
                    backup
                        .verification_errors
                        .iter()
                        .for_each(|error| eprintln!("annals: {error}"));
                    break ExitCode::FAILURE;
                }
                _ => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        client.sign_out().await;
        Ok(code)
    }
}

fn verify_file(file: &Path) -> anyhow::Result<ExitCode> {
    let name = file.display();
    let source = File::open(file).with_context(|| format!("cannot read {name}"))?;
    let report = archive::verify(BufReader::new(source), &key(&Settings::load()?)?)
        .with_context(|| format!("cannot read {name} to its end"))?;
    let archive::Report { checks, events, files, .. } = &report;
    if report.whole() {
        println!(
            "every byte is as it was written: {events} events, {files} files, {checks} checks"
        );
        return Ok(ExitCode::SUCCESS);
    }
    report.errors.iter().for_each(|error| eprintln!("annals: {error}"));
    Ok(ExitCode::FAILURE)
}

fn key(settings: &Settings) -> anyhow::Result<Key> {
    let master = MasterKey::parse(&settings.master_key);
    Ok(Key::new(master.context("a backup is opened with the key it was made under")?))
}

impl Restore {
    async fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = Settings::load()?;
        let key = key(&settings)?;
        let name = self.file.display();
        let source = File::open(&self.file).with_context(|| format!("cannot read {name}"))?;
        let schema = preflight::schema_pool(&self.into).await?;
        let checked = preflight::check_schema(&schema).await;
        schema.close().await;
        if let Err(error) = checked {
            bail!("{error}; bring the new database up with `annals migrate up` first");
        }
        let mut connection = PgConnection::connect(&self.into).await?;
        let files = Files::open(&settings)?;
        let ledger = Ledger::new(&settings.data_dir, &MasterKey::parse(&settings.master_key)?);
        let erased = ledger.read()?;
        let source = BufReader::new(source);
        let restored = archive::restore(source, &key, &mut connection, &files, &erased).await?;
        connection.close().await?;
        println!(
            "restored {} events and {} files of {} organisation(s); the head is position {}, epoch {}",
            restored.events,
            restored.files,
            restored.manifest.tenants.len(),
            restored.position,
            restored.epoch
        );
        println!("{} erased people stay so, as {} says", erased.len(), ledger.path().display());
        println!("Read models fill when the projectors start on this database.");
        Ok(ExitCode::SUCCESS)
    }
}
