//! Writes months of an organisation's trail into files, reads each back, and reports it: one line of JSON per entry, zstd.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::FileId;
use events::audit::ledger::Ledger;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt as _};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff_sqlx::ToSqlx as _;
use platform::commands::CommandError;
use platform::files::{self, StoredFile};
use platform::fold::{Folded, fold};
use platform::transparency::checkpoint::{Checkpoint, Origin};
use platform::transparency::note::{self, VerifierKey};
use serde::Deserialize;
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};
use tempfile::NamedTempFile;

use crate::runtime::{Done, Job, Office, Trouble, id_caused_by};

const ZSTD_LEVEL: i32 = 9;

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let ledger: Folded<Ledger> =
            fold(&office.pool, job.tenant_id, &job.subject_id, Folded::default()).await?;
        let Some(before) = ledger.state.requested_before else { return Ok(Done::Finished) };
        let mut snapshot = snapshot(office, job).await?;
        let sealed = sealed(office, job, &mut snapshot).await?;
        for month in months(&mut snapshot, before).await? {
            if !ledger.state.months.contains_key(&month) {
                archive(office, job, &mut snapshot, (month, &sealed)).await?;
            }
        }
        snapshot.commit().await?;
        Ok(Done::Finished)
    }
    .boxed()
}

/// What the notary has signed last.
struct Sealed {
    size: i64,
    root: String,
}

/// The trail of one organisation as it stands now, with everything in it that was recorded before the request.
async fn snapshot(office: &Office, job: &Job) -> anyhow::Result<Transaction<'static, Postgres>> {
    let begin = "begin isolation level repeatable read read only";
    let mut transaction = office.pool.begin_with(begin).await?;
    sqlx::query(
        "select set_config('app.tenant', $1, true), set_config('statement_timeout', '0', true),
                set_config('idle_in_transaction_session_timeout', '0', true)",
    )
    .bind(job.tenant_id.to_string())
    .execute(&mut *transaction)
    .await?;
    let requested = job.body["position"].as_i64().context("the job has no position")?;
    let reached: Option<i64> = sqlx::query_scalar(
        "select position from read.checkpoints where projection = 'audit_trail'",
    )
    .fetch_optional(&mut *transaction)
    .await?;
    ensure!(reached >= Some(requested), "the trail is behind the log; the archive waits for it");
    Ok(transaction)
}

/// The latest checkpoint. Its row counts for nothing: what the notary's key signed does.
async fn sealed(office: &Office, job: &Job, snapshot: &mut PgConnection) -> anyhow::Result<Sealed> {
    let found: Option<(i32, String)> = sqlx::query_as(
        "select c.epoch, c.note from audit.checkpoints c
          where c.epoch = (select epoch from log.head) order by c.size desc limit 1",
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    let (epoch, note) = found.context("nothing is sealed yet; the archive waits for the notary")?;
    let keys: Vec<Vec<u8>> = sqlx::query_scalar("select public_key from secrets.notary_keys")
        .fetch_all(snapshot)
        .await?;
    let origin = Origin::new(&office.issuer, job.tenant_id, epoch);
    let Checkpoint { size, root, .. } = checkpoint(&origin, &note, &keys)?;
    Ok(Sealed { size: i64::try_from(size)?, root: STANDARD.encode(root) })
}

/// The checkpoint of a note that one of the notary's keys signed for this log.
fn checkpoint(origin: &Origin, note: &str, keys: &[Vec<u8>]) -> anyhow::Result<Checkpoint> {
    let key = |public: &Vec<u8>| -> anyhow::Result<VerifierKey> {
        Ok(VerifierKey::new(&origin.to_string(), public.as_slice().try_into()?)?)
    };
    let keys = keys.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let signed = note::open(note, &keys).context("the latest checkpoint is not the notary's")?;
    let checkpoint: Checkpoint = signed.parse()?;
    ensure!(checkpoint.origin == *origin, "the latest checkpoint is that of another log");
    Ok(checkpoint)
}

/// The months with entries, before a date.
async fn months(snapshot: &mut PgConnection, before: Date) -> anyhow::Result<Vec<Date>> {
    let months: Vec<String> = sqlx::query_scalar(
        "select distinct to_char(t.at at time zone 'UTC', 'YYYY-MM-\"01\"') from audit.trail t
          where t.at < $1 order by 1",
    )
    .bind(start(before)?.to_sqlx())
    .fetch_all(snapshot)
    .await?;
    months.iter().map(|month| Ok(month.parse()?)).collect()
}

fn start(date: Date) -> anyhow::Result<jiff::Timestamp> {
    Ok(date.to_zoned(TimeZone::UTC)?.timestamp())
}

/// What a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// How many entries.
    pub rows: i64,
    /// The number of the first.
    pub first_seq: i64,
    /// The number of the last.
    pub last_seq: i64,
}

/// The part of an entry that an archive is checked by.
#[derive(Deserialize)]
struct Numbered {
    tenant_seq: i64,
}

impl Contents {
    /// Takes in the next entry; its number must follow.
    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let Numbered { tenant_seq } = serde_json::from_str(line).context("no entry")?;
        if self.rows == 0 {
            self.first_seq = tenant_seq;
        } else {
            ensure!(tenant_seq == self.last_seq + 1, "the entry before {tenant_seq} is missing");
        }
        self.rows += 1;
        self.last_seq = tenant_seq;
        Ok(())
    }
}

async fn archive(
    office: &Office,
    job: &Job,
    snapshot: &mut PgConnection,
    (month, sealed): (Date, &Sealed),
) -> anyhow::Result<()> {
    let (file, contents) = write(office, snapshot, month).await?;
    ensure!(contents.last_seq <= sealed.size, "{month} is not sealed yet; the archive waits");
    let file_id = FileId(id_caused_by("audit_archive", &job.subject_id, &month.to_string()));
    let stored = office.files.keep(job.tenant_id, file_id, file).await?;
    let read = read_back(office, job, &stored).await?;
    ensure!(read == contents, "the archive of {month} reads back as {read:?}, not {contents:?}");
    let body = json!({
        "month": month,
        "file_id": file_id,
        "sha256": stored.sha256,
        "size_bytes": stored.size_bytes,
        "rows": contents.rows,
        "first_seq": contents.first_seq,
        "last_seq": contents.last_seq,
        "checkpoint_size": sealed.size,
        "checkpoint_root": sealed.root,
    });
    let key = job.key(&format!("archived/{month}"));
    let posted = office.commands.post(job.tenant_id, "/audit-logs/archived", key, &body).await;
    posted.map(|_| ()).map_err(|error: CommandError| anyhow::Error::new(error))
}

async fn write(
    office: &Office,
    snapshot: &mut PgConnection,
    month: Date,
) -> anyhow::Result<(NamedTempFile, Contents)> {
    let file = NamedTempFile::new_in(office.files.scratch())?;
    let mut sink = zstd::Encoder::new(BufWriter::new(file.reopen()?), ZSTD_LEVEL)?;
    let mut contents = Contents::default();
    let mut lines = sqlx::query_scalar::<_, String>(
        "select row_to_json(t)::text from audit.trail t where t.at >= $1 and t.at < $2
          order by t.tenant_seq",
    )
    .bind(start(month)?.to_sqlx())
    .bind(start(month.checked_add(1.month())?)?.to_sqlx())
    .fetch(snapshot);
    while let Some(line) = lines.try_next().await? {
        contents.take(&line)?;
        sink.write_all(line.as_bytes())?;
        sink.write_all(b"\n")?;
    }
    sink.finish()?.flush()?;
    Ok((file, contents))
}

/// What is stored, byte by byte: the digest must be that of what was sent.
async fn read_back(office: &Office, job: &Job, stored: &StoredFile) -> anyhow::Result<Contents> {
    let file = office.files.open_local(job.tenant_id, stored.id).await?;
    let sha256 = stored.sha256.clone();
    tokio::task::spawn_blocking(move || {
        ensure!(digest(&file)? == sha256, "the stored archive has another digest");
        read(file, &mut std::io::sink())
    })
    .await?
}

/// SHA-256 of a file from its beginning, in hexadecimal digits; it can be read from there again.
pub fn digest(mut file: &File) -> std::io::Result<String> {
    let (sha256, _) = files::digest(file)?;
    file.rewind()?;
    Ok(hex::encode(sha256))
}

/// The entries of an archive of a month, each a line of JSON.
pub fn lines(file: File) -> std::io::Result<impl Iterator<Item = std::io::Result<String>>> {
    Ok(BufReader::new(zstd::Decoder::new(file)?).lines())
}

/// Reads an archive of a month, each entry a line of JSON, and passes the entries on; none may be missing between them.
pub fn read(file: File, to: &mut impl Write) -> anyhow::Result<Contents> {
    let mut contents = Contents::default();
    for line in lines(file)? {
        let line = line?;
        contents.take(&line)?;
        writeln!(to, "{line}")?;
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(numbers: &[i64]) -> File {
        let file = NamedTempFile::new().unwrap();
        let mut sink = zstd::Encoder::new(file.reopen().unwrap(), ZSTD_LEVEL).unwrap();
        for number in numbers {
            writeln!(sink, "{}", json!({"tenant_seq": number, "action": "x"})).unwrap();
        }
        sink.finish().unwrap();
        file.reopen().unwrap()
    }

    #[test]
    fn an_archive_reads_back_as_it_was_written() {
        let mut lines = Vec::new();
        let contents = read(file(&[7, 8, 9]), &mut lines).unwrap();
        assert_eq!(contents, Contents { rows: 3, first_seq: 7, last_seq: 9 });
        assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_checkpoint_counts_only_as_the_notary_signed_it_for_this_log() {
        let key = platform::secrets::new_key().unwrap();
        let pair = platform::secrets::key_pair(&key.private).unwrap();
        let origin = Origin::new("annals", events::testing::id(1), 1);
        let signed = |origin: &Origin| {
            let checkpoint = Checkpoint { origin: origin.clone(), size: 7, root: [3; 32] };
            note::sign(&checkpoint.to_string(), &origin.to_string(), &pair).unwrap()
        };
        let keys = [key.public.clone()];
        let open = |note: &str| checkpoint(&origin, note, &keys).map(|it| it.size);
        assert_eq!(open(&signed(&origin)).unwrap(), 7);
        let altered = signed(&origin).replacen("\n7\n", "\n9\n", 1);
        assert!(open(&altered).is_err(), "{altered}");
        assert!(open(&signed(&Origin::new("annals", events::testing::id(2), 1))).is_err());
        let other = platform::secrets::new_key().unwrap().public;
        assert!(checkpoint(&origin, &signed(&origin), &[other]).is_err());
    }

    #[test]
    fn an_archive_with_a_gap_is_refused() {
        let error = read(file(&[7, 9]), &mut std::io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "the entry before 9 is missing");
    }
}
