//! `annals audit`: what an auditor takes home, so that nobody can alter the history unnoticed afterwards.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use events::TenantId;
use events::audit::ledger::Ledger;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use platform::config::Settings;
use platform::db::{self, Role};
use platform::files::Files;
use platform::fold::{Folded, fold};
use platform::transparency::checkpoint::Checkpoint;
use platform::transparency::note;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use workers::audit::archive;

use super::client::{Client, Options, read};
use super::events::Replay;

const EVENTS: &str = "events.ndjson";
const CHECKPOINT: &str = "checkpoint";
const LEAVES: &str = "leaves";
const KEYS: &str = "keys";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a signed checkpoint of the organisation's log to standard output; keep it elsewhere
    Checkpoint(One),
    /// Write checkpoint, leaves, keys and events into a folder; `annals verify` reads them
    Package(Package),
    /// Write the entries of an archived month to standard output, one line of JSON each
    Month(Month),
    /// Bring an archived month back for reading at `GET /audit-logs/restored`, if its file is what was archived
    Restore(Restore),
}

#[derive(Debug, clap::Args)]
struct Restore {
    /// The first day of the month, as `GET /audit-logs/archives` has it
    #[arg(value_name = "MONTH")]
    month: Date,
    /// The organisation's id
    #[arg(long, value_name = "UUID")]
    tenant: TenantId,
    /// Take it out again instead
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, clap::Args)]
struct Month {
    /// The archive, as `GET /audit-logs/archives` names it below the folder of files
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The SHA-256 that the log has of it
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
}

#[derive(Debug, clap::Args)]
struct One {
    #[command(flatten)]
    client: Options,
    /// Of so many events; the latest when absent
    #[arg(long, value_name = "N")]
    size: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct Package {
    #[command(flatten)]
    client: Options,
    /// A folder that is not there yet
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let options = match &arguments.action {
        Action::Checkpoint(one) => &one.client,
        Action::Package(package) => &package.client,
        Action::Month(month) => return month.read(),
        Action::Restore(restore) => return restore.run().await,
    };
    let client = Client::start(options).await?;
    let outcome = match &arguments.action {
        Action::Checkpoint(one) => one.run(&client).await,
        Action::Package(package) => package.run(&client).await,
        Action::Month(_) | Action::Restore(_) => Ok(()), // they need no client
    };
    client.sign_out().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

impl Month {
    fn read(&self) -> anyhow::Result<ExitCode> {
        let name = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("cannot open {name}"))?;
        if let Some(expected) = &self.sha256 {
            let found = archive::digest(&file)?;
            ensure!(
                found == *expected,
                "{name} has the digest {found}: it is not what was archived"
            );
        }
        let contents = archive::read(file, &mut std::io::stdout().lock())?;
        let (first, last) = (contents.first_seq, contents.last_seq);
        eprintln!("{} entries, {first} to {last}", contents.rows);
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    /// Whatever of the month was brought back before is replaced, in one transaction.
    async fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = Settings::load()?;
        let mut connection = PgConnection::connect(&settings.database_url).await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("set local role annals_owner").execute(&mut *transaction).await?;
        let start = |date: Date| anyhow::Ok(date.to_zoned(TimeZone::UTC)?.timestamp().to_string());
        sqlx::query(
            "delete from audit.trail_restored where tenant_id = $1 and at >= $2::timestamptz and at < $3::timestamptz",
        )
        .bind(self.tenant.0)
        .bind(start(self.month)?)
        .bind(start(self.month.checked_add(1.month())?)?)
        .execute(&mut *transaction)
        .await?;
        let rows = if self.remove { 0 } else { self.bring(&settings, &mut transaction).await? };
        transaction.commit().await?;
        println!("{rows} entries of {} can be read", self.month);
        Ok(ExitCode::SUCCESS)
    }

    /// Reads the file twice: once to believe it, once to copy it.
    async fn bring(&self, settings: &Settings, database: &mut PgConnection) -> anyhow::Result<u64> {
        let pool = db::connect(&settings.database_url, Role::Workers, 1).await?;
        let stream = self.tenant.to_string();
        let ledger = fold::<Ledger>(&pool, self.tenant, &stream, Folded::default()).await?.state;
        let archived = ledger.months.get(&self.month).context("the month is not archived")?;
        let archive = &archived.archive;
        let files = Files::open(settings)?;
        let file = async || files.open_local(self.tenant, archive.file_id).await;
        let found = archive::digest(&file().await?)?;
        ensure!(
            found == archive.sha256,
            "the file has the digest {found}: it is not what was archived"
        );
        let contents = archive::read(file().await?, &mut std::io::sink())?;
        let numbers =
            [contents.rows, contents.first_seq, contents.last_seq].map(i64::cast_unsigned);
        ensure!(
            numbers == [archive.rows, archive.first_seq, archive.last_seq],
            "the file does not hold the entries that were archived"
        );
        let mut lines = archive::lines(file().await?)?.peekable();
        let mut copied = 0;
        while lines.peek().is_some() {
            let chunk = lines.by_ref().take(COPIED_AT_ONCE).collect::<Result<Vec<_>, _>>()?;
            copied += sqlx::query(COPY)
                .bind(self.tenant.0)
                .bind(chunk)
                .execute(&mut *database)
                .await?
                .rows_affected();
        }
        ensure!(copied == archive.rows, "the file holds entries of another organisation");
        Ok(copied)
    }
}

const COPIED_AT_ONCE: usize = 1_000;
const COPY: &str = "
    insert into audit.trail_restored
    select entry.* from unnest($2::text[]) line,
           lateral json_populate_record(null::audit.trail_restored, line::json) entry
     where entry.tenant_id = $1";

impl One {
    async fn run(&self, client: &Client) -> anyhow::Result<()> {
        let size = self.size.map_or_else(|| "latest".to_owned(), |size| size.to_string());
        print!("{}", signed(client, &size).await?);
        Ok(())
    }
}

async fn signed(client: &Client, size: &str) -> anyhow::Result<String> {
    let answer = client.ask(&format!("/audit/checkpoints/{size}"), &[], None).await;
    let answer = answer.context("there is no such checkpoint; the notary signs within a minute")?;
    Ok(answer.text().await?)
}

impl Package {
    async fn run(&self, client: &Client) -> anyhow::Result<()> {
        let folder = &self.folder;
        std::fs::create_dir(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let signed = signed(client, "latest").await?;
        let checkpoint: Checkpoint = note::unverified(&signed)?.parse()?;
        std::fs::write(folder.join(CHECKPOINT), &signed)?;
        std::fs::write(folder.join(KEYS), keys(client).await?)?;
        leaves(client, checkpoint.size, &folder.join(LEAVES)).await?;
        let events = File::create(folder.join(EVENTS))?;
        Replay::everything(client, events).await?;
        println!(
            "{} events under the checkpoint of {}; keep {CHECKPOINT} and {LEAVES} where nobody \
             who administers the database can write; verify with",
            checkpoint.size, checkpoint.origin
        );
        println!(
            "annals verify {0}/{EVENTS} --checkpoint {0}/{CHECKPOINT} --leaves {0}/{LEAVES} --key \"$(head -n 1 {0}/{KEYS})\"",
            folder.display()
        );
        Ok(())
    }
}

/// The public keys, one per line, the newest first.
async fn keys(client: &Client) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Keys {
        items: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        vkey: String,
    }
    let keys: Keys = read(client.ask("/audit/keys", &[], None).await?).await?;
    let lines: Vec<String> = keys.items.into_iter().map(|key| key.vkey).collect();
    Ok(lines.join("\n") + "\n")
}

async fn leaves(client: &Client, size: u64, path: &Path) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let (mut written, to) = (0, size.to_string());
    while written < size {
        let from = written.to_string();
        let answer = client.ask("/audit/leaves", &[("from", &from), ("to", &to)], None).await?;
        let part = answer.bytes().await.context("the connection broke")?;
        ensure!(!part.is_empty() && part.len() % 32 == 0, "the leaves break off; try again");
        out.write_all(&part)?;
        written += part.len() as u64 / 32;
    }
    Ok(out.flush()?)
}
