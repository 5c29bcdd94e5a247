//! Restoring a backup into an empty, migrated database: the events as they were, and everything that follows from them.

use std::collections::HashMap;
use std::io::{Read, Seek, Write};

use anyhow::Context as _;
use events::aggregate::{Claim, ClaimChange, ClaimScope};
use events::envelope::Recorded;
use events::modules::{AggregateVisitor, visit_aggregates};
use events::{Decider, Event as _, Module, TenantId};
use platform::files::Files;
use platform::personal::{Erasure, Keys, Personal, is_of_erased, open_event};
use serde::Deserialize;
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::frames::Reader;
use super::lines::{FilePiece, recorded, split};
use super::verify::{Report, verify};
use super::{Key, Kind, Manifest, Scope};

/// Chunks waiting for the database.
const CHUNKS_IN_FLIGHT: usize = 2;
/// Free positions that the log keeps ahead of its head, as `log.append` does.
const POSITIONS_AHEAD: i64 = 1_000_000;

/// What a restore led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// The new epoch; tokens and cursors of the old one are refused.
    pub epoch: i32,
    /// The head of the log.
    pub position: i64,
    /// How many events came back.
    pub events: u64,
    /// How many files came back.
    pub files: u64,
    /// What the backup says about itself.
    pub manifest: Manifest,
}

/// Restores `archive` into the database of `connection`, whose login must be allowed to act as the owner of the log. The
/// whole backup is verified before the first row is written, and all rows are written in one transaction. The backup of one
/// organisation gets new positions, from 1; its sequence numbers and its chain stay.
pub async fn restore<R: Read + Seek + Send + 'static>(
    archive: R,
    key: &Key,
    connection: &mut PgConnection,
    files: &Files,
    erased: &[Erasure],
) -> anyhow::Result<Restored> {
    let (archive, manifest) = verified(archive, key).await?;
    let mut transaction = connection.begin().await?;
    begin(&mut transaction).await?;
    let (sender, mut parts) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let reading = tokio::task::spawn_blocking({
        let key = key.clone();
        move || read(archive, &key, &sender)
    });
    let mut filling = Filling {
        scope: manifest.scope,
        position: 0,
        events: 0,
        piece: None,
        files: 0,
        keys: Keys::new(),
    };
    let personal = Personal::new(key.0.clone());
    while let Some((kind, body)) = parts.recv().await {
        match kind {
            Kind::Events => filling.events(&mut transaction, &body).await?,
            Kind::Keys => {
                let kept = not_purged(erased, &body)?;
                rows(&mut transaction, INSERT_KEYS, &kept).await?;
            }
            Kind::Secrets => {
                let kept = not_purged(erased, &body)?;
                rows(&mut transaction, INSERT_SECRETS, &kept).await?;
            }
            Kind::File => filling.file(files, erased, &body).await?,
            Kind::SubjectKeys => {
                let kept = filling.subject_keys(&personal, erased, &body)?;
                rows(&mut transaction, INSERT_SUBJECT_KEYS, &kept).await?;
            }
            Kind::Manifest => {}
        }
    }
    reading.await??;
    let epoch = manifest.epoch + 1;
    for statement in ["analyze log.events", STREAMS, TENANTS] {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    sqlx::query("update log.head set epoch = $1, position = $2")
        .bind(epoch)
        .bind(filling.position)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("insert into work.restored (position) values ($1)")
        .bind(filling.position)
        .execute(&mut *transaction)
        .await?;
    anyhow::ensure!(filling.events == manifest.events, "events went missing while restoring");
    transaction.commit().await?;
    let Filling { position, events, files, .. } = filling;
    Ok(Restored { epoch, position, events, files, manifest })
}

async fn verified<R: Read + Seek + Send + 'static>(
    mut archive: R,
    key: &Key,
) -> anyhow::Result<(R, Manifest)> {
    let key = key.clone();
    let checked = tokio::task::spawn_blocking(move || {
        let report = verify(&mut archive, &key)?;
        std::io::Result::Ok((report, archive))
    });
    let (Report { manifest, errors, .. }, archive) = checked.await??;
    anyhow::ensure!(errors.is_empty(), "the backup is damaged: {}", errors.join("; "));
    Ok((archive, manifest.context("the backup has no manifest")?))
}

fn read<R: Read + Seek>(
    mut archive: R,
    key: &Key,
    sender: &mpsc::Sender<(Kind, Vec<u8>)>,
) -> anyhow::Result<()> {
    archive.rewind()?;
    let mut reader = Reader::begin(archive, key)?;
    while let Some(frame) = reader.frame()? {
        let (Some(kind), Some(body)) = (frame.kind, frame.body) else {
            anyhow::bail!("the backup was altered while it was restored");
        };
        if sender.blocking_send((kind, body)).is_err() {
            break; // the restore failed, and says why itself
        }
    }
    Ok(())
}

/// Becomes the owner, keeps appends out, and refuses a database that holds anything.
async fn begin(database: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query("set local role annals_owner").execute(&mut *database).await.context(
        "the login of DATABASE_URL may not act as annals_owner; restore with the login that migrated",
    )?;
    for setting in ["set local statement_timeout = 0", "set local timezone = 'UTC'"] {
        sqlx::query(setting).execute(&mut *database).await?;
    }
    sqlx::query("select pg_advisory_xact_lock(4702111234474983745)")
        .execute(&mut *database)
        .await?;
    let full: Option<String> = sqlx::query_scalar(FIRST_FULL_TABLE).fetch_one(database).await?;
    match full {
        None => Ok(()),
        Some(table) => anyhow::bail!(
            "the database is not empty ({table} has rows); restore needs a new database, migrated and unused"
        ),
    }
}

/// The restore so far.
struct Filling {
    scope: Scope,
    position: i64,
    events: u64,
    piece: Option<(FilePiece, tempfile::NamedTempFile)>,
    files: u64,
    /// Who has a key: claims are worked out from what it opens.
    keys: Keys,
}

/// A row of any table, as far as it says whose it is.
#[derive(Deserialize)]
struct OfTenant {
    tenant_id: TenantId,
}

/// A row of `secrets.subject_keys`, as far as it is looked at.
#[derive(Deserialize)]
struct SubjectKey {
    tenant_id: TenantId,
    subject_id: Uuid,
    /// As Postgres writes bytes: `\\x` and hexadecimal digits.
    sealed: String,
}

impl Filling {
    /// The lines of those who were not erased since, nor purged with their organisation; whoever was stays so.
    fn subject_keys(
        &mut self,
        personal: &Personal,
        erased: &[Erasure],
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let mut kept = Vec::with_capacity(body.len());
        for line in split(body) {
            let row: SubjectKey = serde_json::from_slice(line)?;
            let person = (row.tenant_id, row.subject_id);
            if erased.iter().any(|of| of.takes(person)) {
                continue;
            }
            let sealed = hex::decode(row.sealed.trim_start_matches("\\x"))?;
            let key = personal.unlocked(person, &sealed);
            let key = key.context("the backup is of an installation with another master key")?;
            self.keys.insert(person, Some(key));
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
        Ok(kept)
    }

    async fn events(&mut self, database: &mut PgConnection, body: &[u8]) -> anyhow::Result<()> {
        let mut events = recorded(body).collect::<anyhow::Result<Vec<_>>>()?;
        for event in &mut events {
            self.position = match self.scope {
                Scope::Installation => event.position,
                Scope::Tenant(_) => self.position + 1,
            };
            event.position = self.position;
        }
        sqlx::query("select log.add_partition() from log.head where partitioned_to <= $1")
            .bind(self.position + POSITIONS_AHEAD)
            .execute(&mut *database)
            .await?;
        let mut claims = Claims::default();
        for event in &events {
            claims.take(event, &self.keys)?;
        }
        insert_events(&mut *database, &events).await?;
        claims.store(database).await?;
        self.events += events.len() as u64;
        Ok(())
    }

    /// Collects the pieces of a file, and stores it when it is whole.
    async fn file(&mut self, files: &Files, erased: &[Erasure], body: &[u8]) -> anyhow::Result<()> {
        let (piece, bytes) = FilePiece::split(body).context("a piece of a file is not readable")?;
        if erased.iter().any(|of| of.takes_all_of(piece.tenant_id)) {
            return Ok(());
        }
        let mut whole = match self.piece.take() {
            Some((_, open)) if piece.offset > 0 => open,
            _ => tempfile::NamedTempFile::new_in(files.scratch())?,
        };
        whole.write_all(bytes)?;
        if piece.offset + (bytes.len() as u64) < piece.size_bytes {
            self.piece = Some((piece, whole));
            return Ok(());
        }
        whole.flush()?;
        files.keep(piece.tenant_id, piece.file_id, whole).await?;
        self.files += 1;
        Ok(())
    }
}

/// The lines of organisations that were not purged since.
fn not_purged(erased: &[Erasure], body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(body.len());
    for line in split(body) {
        let row: OfTenant = serde_json::from_slice(line)?;
        if !erased.iter().any(|of| of.takes_all_of(row.tenant_id)) {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    Ok(kept)
}

async fn insert_events(database: &mut PgConnection, events: &[Recorded]) -> anyhow::Result<()> {
    fn column<'a, T>(events: &'a [Recorded], of: impl FnMut(&'a Recorded) -> T) -> Vec<T> {
        events.iter().map(of).collect()
    }
    sqlx::query(INSERT_EVENTS)
        .bind(column(events, |e| e.position))
        .bind(column(events, |e| e.tenant_id.0))
        .bind(column(events, |e| e.tenant_seq))
        .bind(column(events, |e| e.aggregate_type.as_str()))
        .bind(column(events, |e| e.aggregate_id.as_str()))
        .bind(column(events, |e| e.sequence))
        .bind(column(events, |e| e.event_id))
        .bind(column(events, |e| e.event_type.as_str()))
        .bind(column(events, |e| e.event_version.as_str()))
        .bind(column(events, |e| e.payload.as_str()))
        .bind(column(events, |e| e.metadata.as_str()))
        .bind(column(events, |e| e.recorded_at.to_string()))
        .bind(column(events, |e| e.chain.as_slice()))
        .execute(database)
        .await?;
    Ok(())
}

async fn rows(
    database: &mut PgConnection,
    insert: &'static str,
    body: &[u8],
) -> anyhow::Result<()> {
    let lines = split(body).map(std::str::from_utf8).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(insert).bind(lines).execute(database).await?;
    Ok(())
}

/// A stream: what holds a claim.
type Holder = (String, String);

/// What a chunk of events does to claims, in order.
#[derive(Default)]
struct Claims(HashMap<(Uuid, &'static str, String), Held>);

#[derive(Default)]
struct Held {
    position: i64,
    taken_by: Option<Holder>,
    /// Who gave it back since it was last taken.
    released_by: Vec<Holder>,
}

impl Claims {
    fn take(&mut self, event: &Recorded, keys: &Keys) -> anyhow::Result<()> {
        let tenant = event.tenant_id;
        if is_of_erased(keys, tenant, &event.payload) {
            return Ok(()); // whoever is forgotten holds nothing
        }
        let payload = open_event(keys, tenant, &event.payload).into_owned();
        for claim in claims_of(&Recorded { payload, ..event.clone() })? {
            let tenant = match claim.scope {
                ClaimScope::Tenant => event.tenant_id,
                ClaimScope::Global => TenantId::default(),
            };
            let held = self.0.entry((tenant.0, claim.namespace, claim.key)).or_default();
            let holder = (event.aggregate_type.clone(), event.aggregate_id.clone());
            match claim.change {
                ClaimChange::Take => {
                    let position = event.position;
                    *held = Held { position, taken_by: Some(holder), released_by: Vec::new() };
                }
                ClaimChange::Release => held.released_by.push(holder),
            }
        }
        Ok(())
    }

    async fn store(self, database: &mut PgConnection) -> anyhow::Result<()> {
        let (mut taken, mut freed) = (Columns::default(), Columns::default());
        for (key, held) in self.0 {
            match held.taken_by {
                Some(holder) if held.released_by.contains(&holder) => freed.push(&key, 0, None),
                Some(holder) => taken.push(&key, held.position, Some(holder)),
                None => {
                    for holder in held.released_by {
                        freed.push(&key, 0, Some(holder));
                    }
                }
            }
        }
        freed.run(database, FREE_CLAIMS).await?;
        taken.run(database, TAKE_CLAIMS).await
    }
}

/// Claims as arrays for one statement.
#[derive(Default)]
struct Columns {
    tenants: Vec<Uuid>,
    namespaces: Vec<&'static str>,
    keys: Vec<String>,
    types: Vec<Option<String>>,
    ids: Vec<Option<String>>,
    positions: Vec<i64>,
}

impl Columns {
    fn push(&mut self, key: &(Uuid, &'static str, String), position: i64, holder: Option<Holder>) {
        let (of_type, id) = holder.unzip();
        self.tenants.push(key.0);
        self.namespaces.push(key.1);
        self.keys.push(key.2.clone());
        self.types.push(of_type);
        self.ids.push(id);
        self.positions.push(position);
    }

    async fn run(self, database: &mut PgConnection, statement: &'static str) -> anyhow::Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        sqlx::query(statement)
            .bind(self.tenants)
            .bind(self.namespaces)
            .bind(self.keys)
            .bind(self.types)
            .bind(self.ids)
            .bind(self.positions)
            .execute(database)
            .await?;
        Ok(())
    }
}

/// What an event takes and gives back.
fn claims_of(event: &Recorded) -> anyhow::Result<Vec<Claim>> {
    struct Finding<'a> {
        event: &'a Recorded,
        found: Option<Result<Vec<Claim>, serde_json::Error>>,
    }
    impl AggregateVisitor for Finding<'_> {
        fn visit<D: Decider>(&mut self) {
            if self.event.is::<D>() {
                let decoded = self.event.decode::<D>();
                self.found = Some(decoded.map(|event| event.claims(&self.event.aggregate_id)));
            }
        }
    }
    let unknown = || format!("this build does not know the stream {}", event.aggregate_type);
    let module: Module = event.module().parse().ok().with_context(unknown)?;
    let mut finding = Finding { event, found: None };
    visit_aggregates(module, &mut finding);
    let found = finding.found.with_context(unknown)?;
    found
        .with_context(|| format!("this build cannot read the event at position {}", event.position))
}

const FIRST_FULL_TABLE: &str = "
    select case
        when exists (select from log.events) or (select position from log.head) > 0 then 'log.events'
        when exists (select from log.idempotency) then 'log.idempotency'
        when exists (select from log.claims) then 'log.claims'
        when exists (select from secrets.secrets) then 'secrets.secrets'
        when exists (select from secrets.subject_keys) then 'secrets.subject_keys'
    end";

const INSERT_EVENTS: &str = "
    insert into log.events (position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, event_id,
        event_type, event_version, payload, metadata, recorded_at, chain)
    select e.position, e.tenant_id, e.tenant_seq, e.aggregate_type, e.aggregate_id, e.sequence, e.event_id,
        e.event_type, e.event_version, e.payload::json, e.metadata::json, e.recorded_at::timestamptz, e.chain
      from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::uuid[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[])
        e (position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, event_id,
        event_type, event_version, payload, metadata, recorded_at, chain)";

const INSERT_KEYS: &str = "
    insert into log.idempotency
    select r.* from unnest($1::text[]) l (line), json_populate_record(null::log.idempotency, l.line::json) r";

const INSERT_SECRETS: &str = "
    insert into secrets.secrets
    select r.* from unnest($1::text[]) l (line), json_populate_record(null::secrets.secrets, l.line::json) r";

const INSERT_SUBJECT_KEYS: &str = "
    insert into secrets.subject_keys
    select r.* from unnest($1::text[]) l (line), json_populate_record(null::secrets.subject_keys, l.line::json) r";

const STREAMS: &str = "
    insert into log.streams (tenant_id, aggregate_type, aggregate_id, version)
    select tenant_id, aggregate_type, aggregate_id, max(sequence) from log.events group by 1, 2, 3";

const TENANTS: &str = "
    insert into log.tenants (tenant_id, tenant_seq, chain)
    select distinct on (tenant_id) tenant_id, tenant_seq, chain
      from log.events order by tenant_id, tenant_seq desc";

const FREE_CLAIMS: &str = "
    delete from log.claims k
     using unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        c (tenant_id, namespace, key, aggregate_type, aggregate_id, position)
     where k.tenant_id = c.tenant_id and k.namespace = c.namespace and k.key = c.key
       and (c.aggregate_type is null
            or k.aggregate_type = c.aggregate_type and k.aggregate_id = c.aggregate_id)";

const TAKE_CLAIMS: &str = "
    insert into log.claims (tenant_id, namespace, key, aggregate_type, aggregate_id, position)
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    on conflict (tenant_id, namespace, key) do update
       set aggregate_type = excluded.aggregate_type, aggregate_id = excluded.aggregate_id,
           position = excluded.position";
