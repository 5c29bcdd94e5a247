//! One question to Postgres: in one statement, seen by one organisation only, with the position that the answer reflects.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use events::TenantId;
use jiff::Timestamp;
use platform::clock;
use platform::consistency::Token;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::call::{Call, TOKEN};
use crate::positions::Behind;
use crate::readers::Readers;

/// Where in the log an answer stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct AsOf {
    /// The global position up to which events are reflected.
    pub(crate) position: i64,
    /// When the answer was read.
    #[schemars(with = "String")]
    pub(crate) time: Timestamp,
    /// How long the oldest event that is not reflected has been waiting; 0 when there is none.
    pub(crate) lag_ms: i64,
}

/// Rows, and where in the log they stand.
pub(crate) struct Asked {
    /// The rows.
    pub(crate) rows: Vec<PgRow>,
    /// Where they stand.
    pub(crate) place: Place,
    /// What the caller wanted to be reflected and is not, when the caller takes it nevertheless.
    stale: Option<Behind>,
    waited: bool,
}

/// The state of the projections read, in the same snapshot as the rows.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The log's last position.
    pub(crate) head: i64,
    /// The epoch in which positions count.
    pub(crate) epoch: i32,
    /// How far all projections read have come.
    pub(crate) position: i64,
    /// The sum of their builds: another number means other rows.
    pub(crate) build: i32,
    behind_since: Option<Timestamp>,
}

impl Call {
    /// Asks; when the caller brings a consistency token, the answer reflects it, or says that it does not.
    pub(crate) async fn ask(
        &self,
        projections: &[&str],
        statement: &Statement,
    ) -> Result<Asked, Problem> {
        let asked = self.ask_as_told(projections, statement).await?;
        match self.exact {
            Some(exact) if exact != asked.place.position => Err(elsewhere(exact, &asked.place)),
            Some(_) | None => {
                self.note(projections, &asked);
                Ok(asked)
            }
        }
    }

    async fn ask_as_told(
        &self,
        projections: &[&str],
        statement: &Statement,
    ) -> Result<Asked, Problem> {
        let token = self.token()?;
        let mut asked = fetch(&self.app.readers, self.tenant(), projections, statement).await?;
        let Some(token) = token else { return Ok(asked) };
        same_epoch(&token, &asked.place)?;
        if asked.place.position >= token.position {
            return Ok(asked);
        }
        let patience = self.patience();
        let reached = self.app.positions.reached(projections, token.position, patience.wait).await;
        match reached {
            Err(behind) if !patience.lenient => return Err(behind_problem(&behind)),
            Err(behind) => asked.stale = Some(behind),
            Ok(()) => {
                asked = fetch(&self.app.readers, self.tenant(), projections, statement).await?;
                asked.waited = true;
            }
        }
        Ok(asked)
    }
}

fn same_epoch(token: &Token, place: &Place) -> Result<(), Problem> {
    if token.epoch == place.epoch {
        return Ok(());
    }
    let detail = "the log was restored since this token was given out; drop it and read again";
    let gone = axum::http::StatusCode::GONE;
    Err(Problem::new(gone, "EPOCH_CHANGED", detail).with("epoch", place.epoch))
}

/// Read models keep no history: what is asked of another position than theirs cannot be answered.
fn elsewhere(exact: i64, place: &Place) -> Problem {
    let detail = format!("what is asked for at {exact} stands at {}", place.position);
    let failed = axum::http::StatusCode::PRECONDITION_FAILED;
    let problem = Problem::new(failed, "POSITION_NOT_HELD", detail)
        .with("exact", exact)
        .with("position", place.position)
        .with("epoch", place.epoch);
    if place.position < exact { problem.retryable() } else { problem }
}

pub(crate) fn behind_problem(behind: &Behind) -> Problem {
    let detail = format!(
        "the read model {} is {} events behind what was asked for ({})",
        behind.projection, behind.events, behind.state
    );
    let mut problem =
        Problem::new(axum::http::StatusCode::GATEWAY_TIMEOUT, "PROJECTION_BEHIND", detail)
            .with("projection", behind.projection.clone())
            .with("behind_events", behind.events)
            .with("behind_ms", behind.ms)
            .with("state", behind.state.clone());
    problem.retry_after = Some(1);
    problem
}

/// One statement is one transaction: `set_config` holds for it alone. The rows depend on the setting laterally, so they
/// cannot be read before it is made; read without it, row security shows none. One round trip instead of four.
pub(crate) async fn fetch(
    readers: &Readers,
    tenant: TenantId,
    projections: &[&str],
    statement: &Statement,
) -> Result<Asked, Problem> {
    let mut whole = statement.clone();
    let number = whole.bind(Bind::Text(Some(tenant.to_string())));
    let progress = progress(&mut whole, projections);
    whole.sql = format!(
        "with scope as materialized (select set_config('app.tenant', ${number}, true) as tenant) \
         select r.*, h.position as \"#head\", h.epoch as \"#epoch\", c.position as \"#position\", \
         c.build as \"#build\", case when c.position < h.position \
         then log.recorded_at(c.position + 1) end as \"#behind_since\" \
         from scope cross join log.head h left join {progress} on true \
         left join lateral (select q.*, true as \"#found\" from ({}) q \
         where scope.tenant is not null offset 0) r on true",
        whole.sql
    );
    let mut rows = readers.fetch(&whole.sql, || whole.arguments()).await?;
    let first = rows.first().ok_or_else(|| Problem::internal(&"the log has no head"))?;
    let behind: Option<jiff_sqlx::Timestamp> = first.try_get("#behind_since")?;
    let head = first.try_get("#head")?;
    let unread = if projections.is_empty() { head } else { 0 };
    let place = Place {
        head,
        epoch: first.try_get("#epoch")?,
        position: first.try_get::<Option<i64>, _>("#position")?.unwrap_or(unread),
        build: first.try_get::<Option<i32>, _>("#build")?.unwrap_or_default(),
        behind_since: behind.map(jiff_sqlx::Timestamp::to_jiff),
    };
    if first.try_get::<Option<bool>, _>("#found")?.is_none() {
        rows.clear(); // the one row that stands for none
    }
    Ok(Asked { rows, place, stale: None, waited: false })
}

/// How far the projections have come, as one row or none.
fn progress(statement: &mut Statement, projections: &[&str]) -> String {
    match projections {
        [] => "(select null::bigint as position, null::integer as build where false) c".to_owned(),
        [only] => {
            let number = statement.bind(Bind::Text(Some((*only).to_owned())));
            format!(
                "(select p.position, p.build from read.checkpoints p \
                 where p.projection = ${number}) c"
            )
        }
        several => {
            let names = several.iter().map(|&name| name.to_owned()).collect();
            let names = statement.bind(Bind::Texts(names));
            format!(
                "(select case when count(*) = cardinality(${names}) then min(p.position) end \
                 as position, sum(p.build)::integer as build \
                 from read.checkpoints p where p.projection = any (${names})) c"
            )
        }
    }
}

impl Place {
    /// For the body.
    pub(crate) fn as_of(&self) -> AsOf {
        let now = clock::now();
        let lag = self.behind_since.map_or(0, |since| now.duration_since(since).as_millis());
        let lag_ms = i64::try_from(lag).unwrap_or(i64::MAX).max(0);
        AsOf { position: self.position, time: now, lag_ms }
    }
}

impl Asked {
    /// The same without the rows: what headers are made of.
    pub(crate) fn without_rows(&self) -> Self {
        let Self { place, stale, waited, .. } = self;
        Self { rows: Vec::new(), place: place.clone(), stale: stale.clone(), waited: *waited }
    }

    /// No rows, at a place that is known.
    pub(crate) fn nothing(place: Place) -> Self {
        Self { rows: Vec::new(), place, stale: None, waited: false }
    }

    /// What every answer says about itself in its headers.
    pub(crate) fn headers(&self, call: &Call, as_of: &AsOf) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        let lag_events = (self.place.head - self.place.position).max(0);
        set("projection-position", self.place.position.to_string());
        set("projection-lag", format!("events={lag_events}, ms={}", as_of.lag_ms));
        let token =
            Token { epoch: self.place.epoch, position: self.place.position, tenant: call.tenant() };
        set("consistency-token", call.app.keys.consistency.encode(&token));
        if let Some(stale) = &self.stale {
            let Behind { events, ms, .. } = stale;
            set("consistency-status", format!("stale; behind={events}; behind-ms={ms}"));
        }
        let patience = call.patience();
        // Who brings a token and a time has both followed, also when nothing had to be waited for.
        let meant = self.waited || self.stale.is_some() || call.header(TOKEN).is_some();
        if patience.asked && meant {
            set("preference-applied", format!("wait={}", patience.wait.as_secs()));
        }
        headers
    }
}
