//! The log as it stood at a moment: which position that is, and any aggregate folded up to it by its own rules.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ::events::Decider;
use jiff::Timestamp;
use platform::access::TRUSTED;
use platform::dataset::{Bind, Statement};
use platform::fold::Folded;
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::ask::{Asked, Place};
use crate::call::{Call, unreadable};

/// The most events that one stream is folded from for one answer.
pub(crate) const MAX_FOLDED: i64 = 200_000;
const CHUNK: i64 = 2_000;

/// A moment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Moment {
    /// The global position up to which events had happened.
    pub(crate) position: i64,
    /// The time at which expiries are judged.
    #[schemars(with = "String")]
    pub(crate) time: Timestamp,
}

/// A stream of the log: its type and its id.
pub(crate) type Stream = (&'static str, String);

/// Where streams were seen to stand a moment ago.
pub(crate) struct Recent {
    asked: Instant,
    place: Place,
    versions: Vec<i64>,
}

impl Call {
    /// The moment that a text names: a position of the log, or an RFC 3339 time.
    pub(crate) async fn moment(&self, name: &str, text: &str) -> Result<Moment, Problem> {
        let refused = |detail: String| {
            Problem::bad_request("AS_OF_INVALID", detail).with("parameter", name.to_owned())
        };
        let now = platform::clock::now();
        let asked = match (text.parse::<i64>(), text.parse::<Timestamp>()) {
            (Ok(position), _) if position >= 0 => Ok(position),
            (_, Ok(time)) if time <= now => Err(time),
            (_, Ok(_)) => {
                return Err(refused(format!("{name} lies in the future; choose an earlier time")));
            }
            (Ok(_) | Err(_), Err(_)) => {
                let detail = format!("{name} must be a position of the log or an RFC 3339 time");
                return Err(refused(detail));
            }
        };
        let mut statement = Statement::default();
        statement.sql = match asked {
            Ok(position) => {
                let number = statement.bind(Bind::Integer(position));
                format!("select ${number}::bigint as at, log.recorded_at(${number}) as time")
            }
            Err(time) => {
                let number = statement.bind(Bind::Time(time));
                format!("select log.position_at(${number}) as at, ${number}::timestamptz as time")
            }
        };
        let asked = self.ask(&[], &statement).await?;
        let row = asked.rows.first().ok_or_else(|| Problem::internal(&"a moment has no row"))?;
        let position: i64 = row.try_get("at")?;
        if position > asked.place.head {
            let detail = format!("{name} lies after the log's last position");
            return Err(refused(detail).with("head", asked.place.head));
        }
        let time: Option<jiff_sqlx::Timestamp> = row.try_get("time")?;
        let time = time.map_or(Timestamp::UNIX_EPOCH, jiff_sqlx::Timestamp::to_jiff);
        Ok(Moment { position, time })
    }

    /// The present, and the versions that these streams have in it.
    pub(crate) async fn present(
        &self,
        streams: &[Stream],
    ) -> Result<(Asked, Moment, Vec<i64>), Problem> {
        let mut statement = Statement::default();
        let tenant = statement.bind(Bind::Id(self.tenant().0));
        let (kinds, ids) = bound(&mut statement, streams);
        statement.sql = format!("select log.versions(${tenant}, ${kinds}, ${ids}) as versions");
        let time = platform::clock::now();
        let asked = self.ask(&[], &statement).await?;
        let versions = versions(&asked)?;
        let moment = Moment { position: asked.place.head, time };
        Ok((asked, moment, versions))
    }

    /// The present as it was seen a moment ago, no longer than a reader's standing is trusted; the time is that of now. Who brings a
    /// consistency token has it looked up.
    pub(crate) async fn recent(
        &self,
        streams: Vec<Stream>,
    ) -> Result<(Asked, Moment, Vec<i64>), Problem> {
        if self.token()?.is_some() {
            return self.present(&streams).await;
        }
        let key = (self.tenant(), streams);
        if let Some(kept) = self.app.recent.get(&key)
            && kept.asked.elapsed() < TRUSTED
        {
            let moment = Moment { position: kept.place.head, time: platform::clock::now() };
            return Ok((Asked::nothing(kept.place.clone()), moment, kept.versions.clone()));
        }
        // Counted from before the log is asked, so that a slow answer is not trusted for longer.
        let began = Instant::now();
        let (asked, moment, versions) = self.present(&key.1).await?;
        let (place, kept) = (asked.place.clone(), versions.clone());
        self.app.recent.insert(key, Arc::new(Recent { asked: began, place, versions: kept }));
        Ok((asked, moment, versions))
    }

    /// The versions that these streams had at a position.
    pub(crate) async fn versions_at(
        &self,
        position: i64,
        streams: &[Stream],
    ) -> Result<(Asked, Vec<i64>), Problem> {
        let mut statement = Statement::default();
        let position = statement.bind(Bind::Integer(position));
        let (kinds, ids) = bound(&mut statement, streams);
        statement.sql = format!(
            "select array(select coalesce((select e.sequence from log.events e \
             where e.aggregate_type = s.kind and e.aggregate_id = s.id and e.position <= ${position} \
             order by e.sequence desc limit 1), 0) \
             from unnest(${kinds}, ${ids}) with ordinality s (kind, id, ord) order by s.ord) \
             as versions"
        );
        let asked = self.ask(&[], &statement).await?;
        let versions = versions(&asked)?;
        Ok((asked, versions))
    }

    /// An aggregate at exactly a version: what is kept of it where that is the one, otherwise folded from the log.
    pub(crate) async fn at_version<D: Decider>(
        &self,
        id: &str,
        version: i64,
    ) -> Result<Folded<D>, Problem> {
        let (aggregates, tenant) = (&self.app.aggregates, self.tenant());
        let kept = aggregates.kept::<D>(tenant, id).filter(|kept| kept.version >= version);
        let folded = match kept {
            Some(kept) => kept,
            None => aggregates.refresh::<D>(tenant, id).await.map_err(unreadable)?,
        };
        if folded.version == version { Ok(folded) } else { self.fold_to(id, version).await }
    }

    /// Several aggregates of a type, each at its version; those that are not kept at it are folded from one reading of the log.
    pub(crate) async fn at_versions<D: Decider>(
        &self,
        wanted: &[(String, i64)],
    ) -> Result<Vec<Folded<D>>, Problem> {
        let (aggregates, tenant) = (&self.app.aggregates, self.tenant());
        let kept = |(id, version): &(String, i64)| {
            let kept = aggregates.kept::<D>(tenant, id).filter(|kept| kept.version == *version);
            kept.or_else(|| (*version == 0).then(Folded::default))
        };
        let mut found: Vec<Option<Folded<D>>> = wanted.iter().map(kept).collect();
        let missing = wanted.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missing: Vec<&(String, i64)> = missing.map(|(wanted, _)| wanted).collect();
        if missing.iter().map(|(_, version)| version).sum::<i64>() > MAX_FOLDED {
            return Err(too_long());
        }
        let mut states: HashMap<String, (D, i64)> = HashMap::with_capacity(missing.len());
        if !missing.is_empty() {
            let mut statement = Statement::default();
            let ids = missing.iter().map(|(id, _)| id.clone()).collect();
            let versions = missing.iter().map(|(_, version)| version.to_string()).collect();
            let kind = statement.bind(Bind::Text(Some(D::TYPE.to_owned())));
            let ids = statement.bind(Bind::Texts(ids));
            let versions = statement.bind(Bind::Texts(versions));
            statement.sql = format!(
                "select s.id, e.payload::text from unnest(${ids}, ${versions}::bigint[]) \
                   s (id, version) join log.events e on e.aggregate_type = ${kind} and e.aggregate_id = s.id \
                   and e.sequence <= s.version order by s.id, e.sequence"
            );
            let asked = self.ask(&[], &statement).await?;
            for (row, payload) in asked.rows.iter().zip(self.payloads(&asked.rows, 1).await?) {
                let (state, at) = states.entry(row.try_get(0)?).or_default();
                let event = serde_json::from_str::<D::Event>(&payload);
                state.evolve(&event.map_err(|error| Problem::internal(&error))?);
                *at += 1;
            }
        }
        for ((id, version), found) in wanted.iter().zip(&mut found).filter(|(_, it)| it.is_none()) {
            let ended = || Problem::internal(&"a stream ends before its version");
            let (state, at) = states.get(id).filter(|(_, at)| at == version).ok_or_else(ended)?;
            let folded = Folded { state: Arc::new(state.clone()), version: *at };
            aggregates.keep::<D>(tenant, id, folded.clone());
            *found = Some(folded);
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The payloads of events in a column of rows, with what is personal in them opened.
    pub(crate) async fn payloads(
        &self,
        rows: &[PgRow],
        column: usize,
    ) -> Result<Vec<String>, Problem> {
        let payloads = rows.iter().map(|row| row.try_get(column));
        let mut payloads = payloads.collect::<Result<Vec<String>, sqlx::Error>>()?;
        let mut each: Vec<&mut String> = payloads.iter_mut().collect();
        self.app.personal.open_events(&self.app.pool, self.tenant(), &mut each).await?;
        Ok(payloads)
    }

    async fn fold_to<D: Decider>(&self, id: &str, version: i64) -> Result<Folded<D>, Problem> {
        if version > MAX_FOLDED {
            return Err(too_long());
        }
        let (mut state, mut at) = (D::default(), 0);
        while at < version {
            let mut statement = Statement::default();
            let kind = statement.bind(Bind::Text(Some(D::TYPE.to_owned())));
            let id = statement.bind(Bind::Text(Some(id.to_owned())));
            let (after, to) = (Bind::Integer(at), Bind::Integer(version.min(at + CHUNK)));
            let (after, to) = (statement.bind(after), statement.bind(to));
            statement.sql = format!(
                "select e.payload::text from log.events e where e.aggregate_type = ${kind} \
                 and e.aggregate_id = ${id} and e.sequence > ${after} and e.sequence <= ${to} \
                 order by e.sequence"
            );
            let asked = self.ask(&[], &statement).await?;
            if asked.rows.is_empty() {
                return Err(Problem::internal(&"a stream ends before its version"));
            }
            for payload in self.payloads(&asked.rows, 0).await? {
                let event = serde_json::from_str::<D::Event>(&payload);
                state.evolve(&event.map_err(|error| Problem::internal(&error))?);
                at += 1;
            }
        }
        Ok(Folded { state: Arc::new(state), version })
    }
}

/// A history that is longer than one answer may read.
pub(crate) fn too_long() -> Problem {
    let status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    let detail = "this would read more of the log than one answer may; ask for less, or replay it";
    Problem::new(status, "HISTORY_TOO_LONG", detail)
}

fn bound(statement: &mut Statement, streams: &[Stream]) -> (usize, usize) {
    let kinds = streams.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let ids = streams.iter().map(|(_, id)| id.clone()).collect();
    (statement.bind(Bind::Texts(kinds)), statement.bind(Bind::Texts(ids)))
}

fn versions(asked: &Asked) -> Result<Vec<i64>, Problem> {
    let row = asked.rows.first().ok_or_else(|| Problem::internal(&"streams have no versions"))?;
    Ok(row.try_get("versions")?)
}
