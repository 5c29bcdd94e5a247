//! Batches: which appends may go together, and the arrays that `log.append` takes.

use std::collections::{HashMap, HashSet};

use events::TenantId;
use events::aggregate::{Claim, ClaimChange, ClaimScope};
use events::envelope::Encoded;
use jiff_sqlx::Timestamp;
use platform::chain::Entry;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Append, EVERY, Fact, Outcome, Stored};

/// Something that one append writes and another could read or write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Touch {
    Stream(Uuid, &'static str, String),
    Claim(Uuid, &'static str, String),
    Key(Uuid, String),
}

/// Keeps apart the appends of which one could refuse the other; those wait for the next batch, when the log itself judges.
#[derive(Debug, Default)]
pub(super) struct Company(HashSet<Touch>);

impl Company {
    /// Whether `append` may join; if so, what it writes is remembered.
    pub(super) fn admits(&mut self, append: &Append) -> bool {
        let tenant = append.tenant.0;
        let stands_alone = append.streams.iter().all(|stream| {
            // Without an expected version, streams share a batch: the log numbers their events one after the other.
            stream.expected.is_none()
                || !self.0.contains(&Touch::Stream(tenant, stream.kind, stream.id.clone()))
        }) && append.facts.iter().all(|fact| !self.touches(tenant, fact))
            && claims(append).all(|touch| !self.0.contains(&touch))
            && append
                .key
                .as_ref()
                .is_none_or(|(key, _)| !self.0.contains(&Touch::Key(tenant, key.clone())));
        if stands_alone {
            let streams = append.streams.iter();
            self.0.extend(streams.map(|s| Touch::Stream(tenant, s.kind, s.id.clone())));
            self.0.extend(claims(append).collect::<Vec<_>>());
            self.0.extend(append.key.iter().map(|(key, _)| Touch::Key(tenant, key.clone())));
        }
        stands_alone
    }

    /// Whether what a fact is about was written.
    fn touches(&self, tenant: Uuid, fact: &Fact) -> bool {
        if fact.id == EVERY {
            let of_type = |touch: &Touch| match touch {
                Touch::Stream(of, kind, _) => *of == tenant && *kind == fact.kind,
                Touch::Claim(..) | Touch::Key(..) => false,
            };
            return self.0.iter().any(of_type);
        }
        self.0.contains(&Touch::Stream(tenant, fact.kind, fact.id.clone()))
    }
}

fn claims(append: &Append) -> impl Iterator<Item = Touch> + '_ {
    append
        .streams
        .iter()
        .flat_map(|stream| &stream.claims)
        .map(|claim| Touch::Claim(owner(claim, append.tenant), claim.namespace, claim.key.clone()))
}

/// The tenant column of a claim: the nil tenant holds what is unique in the installation.
fn owner(claim: &Claim, tenant: TenantId) -> Uuid {
    match claim.scope {
        ClaimScope::Tenant => tenant.0,
        ClaimScope::Global => Uuid::nil(),
    }
}

/// The arrays of one call, in the order of the function's parameters.
#[derive(Default)]
struct Arrays<'a> {
    tenant: Vec<Uuid>,
    key: Vec<Option<&'a str>>,
    fingerprint: Vec<Option<&'a [u8]>>,
    streams: Streams<'a, Option<i64>>,
    /// Each fact once, and below who leans on which.
    facts: Streams<'a, i64>,
    leaning: Vec<i32>,
    leaned_on: Vec<i32>,
    claims: Streams<'a, &'a str>,
    claim_key: Vec<&'a str>,
    claim_take: Vec<bool>,
    events: Streams<'a, Uuid>,
    /// The place of each event's stream in `streams`.
    event_stream: Vec<i32>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    payload: Vec<&'a str>,
    metadata: Vec<&'a str>,
    digest: Vec<[u8; 32]>,
    subject_keys: SubjectKeys<'a>,
}

/// The keys of persons, each with its append.
#[derive(Default)]
struct SubjectKeys<'a> {
    append: Vec<i32>,
    tenant: Vec<Uuid>,
    subject: Vec<Uuid>,
    sealed: Vec<&'a [u8]>,
}

/// What stream, fact, claim and event arrays begin with, and one column more.
struct Streams<'a, T> {
    append: Vec<i32>,
    tenant: Vec<Uuid>,
    kind: Vec<&'a str>,
    id: Vec<&'a str>,
    more: Vec<T>,
}

impl<T> Default for Streams<'_, T> {
    fn default() -> Self {
        Self { append: vec![], tenant: vec![], kind: vec![], id: vec![], more: vec![] }
    }
}

impl<'a, T> Streams<'a, T> {
    fn push(&mut self, append: i32, tenant: Uuid, (kind, id): (&'a str, &'a str), more: T) {
        self.append.push(append);
        self.tenant.push(tenant);
        self.kind.push(kind);
        self.id.push(id);
        self.more.push(more);
    }
}

impl<'a> Arrays<'a> {
    fn of(appends: &'a [&'a Append]) -> Self {
        let mut arrays = Self::default();
        let mut known = HashMap::new();
        let mut written = HashMap::new();
        for (number, append) in (1..).zip(appends) {
            let tenant = append.tenant.0;
            arrays.tenant.push(tenant);
            arrays.key.push(append.key.as_ref().map(|(key, _)| key.as_str()));
            arrays.fingerprint.push(append.key.as_ref().map(|(_, print)| print.as_slice()));
            for (subject, sealed) in &append.subject_keys {
                arrays.subject_keys.append.push(number);
                arrays.subject_keys.tenant.push(tenant);
                arrays.subject_keys.subject.push(*subject);
                arrays.subject_keys.sealed.push(sealed);
            }
            for fact in &append.facts {
                // Commands of one caller lean on the same facts; each is looked up once in a batch.
                let next = place(arrays.facts.more.len());
                let index = *known.entry((tenant, fact)).or_insert(next);
                if index == next {
                    arrays.facts.push(number, tenant, (fact.kind, &fact.id), fact.version);
                }
                arrays.leaning.push(number);
                arrays.leaned_on.push(index);
            }
            for stream in &append.streams {
                let name = (stream.kind, stream.id.as_str());
                // Appends to a stream at whatever version it has may meet in a batch; it is numbered as one.
                let next = place(arrays.streams.more.len());
                let place = *written.entry((tenant, name)).or_insert(next);
                if place == next {
                    arrays.streams.push(number, tenant, name, stream.expected);
                }
                for claim in &stream.claims {
                    arrays.claims.push(number, owner(claim, append.tenant), name, claim.namespace);
                    arrays.claim_key.push(&claim.key);
                    arrays.claim_take.push(claim.change == ClaimChange::Take);
                }
                for (id, event) in &stream.events {
                    arrays.events.push(number, tenant, name, *id);
                    arrays.event_type.push(&event.event_type);
                    arrays.event_version.push(&event.event_version);
                    arrays.payload.push(&event.payload);
                    arrays.metadata.push(&append.metadata);
                    arrays.digest.push(digest(append, name, *id, event));
                    arrays.event_stream.push(place);
                }
            }
        }
        arrays
    }
}

/// The 1-based index of the next element of an array.
fn place(len: usize) -> i32 {
    i32::try_from(len + 1).unwrap_or(i32::MAX)
}

fn digest(append: &Append, (kind, id): (&str, &str), event_id: Uuid, event: &Encoded) -> [u8; 32] {
    let entry = Entry {
        tenant: append.tenant.0,
        aggregate_type: kind,
        aggregate_id: id,
        event_id,
        event_type: &event.event_type,
        event_version: &event.event_version,
        metadata: &append.metadata,
        payload: &event.payload,
    };
    entry.digest()
}

const APPEND: &str = "select append, reason, detail, first_position, last_position, recorded_at, epoch
  from log.append($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36)";

type Row = (Option<i32>, Option<String>, Option<String>, Option<i64>, Option<i64>, Timestamp, i32);

/// Stores a batch in one round trip; the outcomes are in the order of the appends.
pub(super) async fn store(
    connection: &mut PgConnection,
    appends: &[&Append],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let arrays = Arrays::of(appends);
    let rows: Vec<Row> = sqlx::query_as(APPEND)
        .bind(&arrays.tenant)
        .bind(&arrays.key)
        .bind(&arrays.fingerprint)
        .bind(&arrays.streams.append)
        .bind(&arrays.streams.tenant)
        .bind(&arrays.streams.kind)
        .bind(&arrays.streams.id)
        .bind(&arrays.streams.more)
        .bind(&arrays.leaning)
        .bind(&arrays.facts.tenant)
        .bind(&arrays.facts.kind)
        .bind(&arrays.facts.id)
        .bind(&arrays.facts.more)
        .bind(&arrays.claims.append)
        .bind(&arrays.claims.tenant)
        .bind(&arrays.claims.kind)
        .bind(&arrays.claims.id)
        .bind(&arrays.claims.more)
        .bind(&arrays.claim_key)
        .bind(&arrays.claim_take)
        .bind(&arrays.events.append)
        .bind(&arrays.events.tenant)
        .bind(&arrays.events.kind)
        .bind(&arrays.events.id)
        .bind(&arrays.events.more)
        .bind(&arrays.event_type)
        .bind(&arrays.event_version)
        .bind(&arrays.payload)
        .bind(&arrays.metadata)
        .bind(&arrays.digest)
        .bind(&arrays.leaned_on)
        .bind(&arrays.event_stream)
        .bind(&arrays.subject_keys.append)
        .bind(&arrays.subject_keys.tenant)
        .bind(&arrays.subject_keys.subject)
        .bind(&arrays.subject_keys.sealed)
        .fetch_all(connection)
        .await?;
    outcomes(appends, &rows)
}

/// What became of each append: refused by name, or stored after the ones before it.
fn outcomes(appends: &[&Append], rows: &[Row]) -> Result<Vec<Outcome>, sqlx::Error> {
    let refused: HashMap<i32, &Row> = rows.iter().filter_map(|row| Some((row.0?, row))).collect();
    let stored = rows.iter().find(|row| row.0.is_none());
    let missing = || sqlx::Error::Protocol("log.append says nothing of an append".into());
    let mut next = stored.and_then(|row| row.3);
    let outcomes = (1..).zip(appends).map(|(number, append)| {
        if let Some(row) = refused.get(&number) {
            return refusal(row);
        }
        let (_, _, _, _, _, recorded_at, epoch) = stored.ok_or_else(missing)?;
        let last_position = next.ok_or_else(missing)? + events_of(append) - 1;
        next = Some(last_position + 1);
        let recorded_at = recorded_at.to_jiff();
        Ok(Outcome::Stored(Stored { last_position, epoch: *epoch, recorded_at }))
    });
    let outcomes = outcomes.collect::<Result<Vec<Outcome>, sqlx::Error>>()?;
    match (stored.and_then(|row| row.4), next) {
        (Some(last), Some(next)) if last + 1 != next => Err(missing()),
        (Some(_) | None, Some(_) | None) => Ok(outcomes),
    }
}

fn events_of(append: &Append) -> i64 {
    let count: usize = append.streams.iter().map(|stream| stream.events.len()).sum();
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn refusal((_, reason, detail, first, last, ..): &Row) -> Result<Outcome, sqlx::Error> {
    let place = |position: &Option<i64>| position.ok_or(sqlx::Error::RowNotFound);
    Ok(match reason.as_deref() {
        Some("replay") => Outcome::Replayed { first: place(first)?, last: place(last)? },
        Some("key_reused") => Outcome::KeyReused,
        Some("version") => Outcome::StaleVersion,
        Some("fact") => Outcome::StaleFact,
        Some("claim") => {
            let detail = detail.as_deref().unwrap_or_default();
            let (namespace, key) = detail.split_once('/').unwrap_or((detail, ""));
            Outcome::Claimed { namespace: namespace.to_owned(), key: key.to_owned() }
        }
        other => return Err(sqlx::Error::Protocol(format!("log.append answered {other:?}"))),
    })
}

/// Looks an append up whose answer was lost with its connection.
pub(super) async fn find(
    connection: &mut PgConnection,
    append: &Append,
) -> Result<Option<Outcome>, sqlx::Error> {
    let Some(stream) = append.streams.first() else { return Ok(None) };
    let Some((event, _)) = stream.events.first() else { return Ok(None) };
    let mut query: QueryBuilder<'_, Postgres> =
        QueryBuilder::new("select first_position, recorded_at, epoch from log.find(");
    let mut arguments = query.separated(", ");
    arguments.push_bind(append.tenant.0);
    arguments.push_bind(stream.kind);
    arguments.push_bind(&stream.id);
    arguments.push_bind(event);
    query.push(")");
    let row: Option<(i64, Timestamp, i32)> =
        query.build_query_as().fetch_optional(connection).await?;
    Ok(row.map(|(first, recorded_at, epoch)| {
        let last_position = first + events_of(append) - 1;
        Outcome::Stored(Stored { last_position, epoch, recorded_at: recorded_at.to_jiff() })
    }))
}
