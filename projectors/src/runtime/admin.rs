//! What an operator asks of projections: list, rebuild, prove, see what is parked and try it again.

use std::sync::Arc;

use anyhow::Context as _;
use events::TenantId;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::log;
use super::projection::Projection;
use super::prove::{self, Proof, TableDigest};
use super::rebuild::{self, Rebuilt};
use super::retry;

/// How one projection stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The build its rows are of; nothing when it has none yet.
    pub build: Option<i32>,
    /// The build this program makes; nothing when it does not know the projection.
    pub wanted_build: Option<i32>,
    /// How far it has read the log.
    pub position: i64,
    /// How many events are missing.
    pub lag_positions: i64,
    /// The age of the oldest missing event in seconds.
    pub lag_seconds: f64,
    /// `live`, `rebuilding`, `stopped`, `missing` or `unknown`.
    pub state: String,
    /// Why it is stopped.
    pub error: Option<String>,
    /// How far its next build is, while there is one.
    pub rebuild_position: Option<i64>,
    /// Groups held back after a failure.
    pub parked: i64,
    /// When it was written to last.
    pub updated_at: Option<Timestamp>,
}

/// Every projection that this program knows, then those it only finds traces of.
pub async fn list(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> anyhow::Result<Vec<Status>> {
    let head = log::head(pool).await?.position;
    let found: Vec<Found> = sqlx::query_as(
        "select c.projection, c.build, c.position, c.state, c.error, c.rebuild_position, c.updated_at,
           (select count(*) from read.parked p where p.projection = c.projection) as parked,
           extract(epoch from now() - (select e.recorded_at from log.events e where e.position = c.position + 1))::float8 as age
         from read.checkpoints c order by c.projection",
    )
    .fetch_all(pool)
    .await?;
    let known = |name: &str| projections.iter().find(|p| p.table().name == name);
    let mut all = Vec::new();
    for projection in projections {
        let name = projection.table().name;
        all.push(match found.iter().find(|found| found.projection == name) {
            Some(found) => found.status(Some(projection.build()), head),
            None => Status::missing(name, projection.build(), head),
        });
    }
    let unknown = found.iter().filter(|found| known(&found.projection).is_none());
    all.extend(unknown.map(|found| Status { state: "unknown".into(), ..found.status(None, head) }));
    Ok(all)
}

#[derive(FromRow)]
struct Found {
    projection: String,
    build: i32,
    position: i64,
    state: String,
    error: Option<String>,
    rebuild_position: Option<i64>,
    updated_at: jiff_sqlx::Timestamp,
    parked: i64,
    age: Option<f64>,
}

impl Found {
    fn status(&self, wanted_build: Option<i32>, head: i64) -> Status {
        Status {
            name: self.projection.clone(),
            build: Some(self.build),
            wanted_build,
            position: self.position,
            lag_positions: (head - self.position).max(0), // the end of the log was read a moment before
            lag_seconds: self.age.unwrap_or_default().max(0.0),
            state: self.state.clone(),
            error: self.error.clone(),
            rebuild_position: self.rebuild_position,
            parked: self.parked,
            updated_at: Some(self.updated_at.to_jiff()),
        }
    }
}

impl Status {
    fn missing(name: &str, build: i32, head: i64) -> Self {
        Self {
            name: name.into(),
            build: None,
            wanted_build: Some(build),
            position: 0,
            lag_positions: head,
            lag_seconds: 0.0,
            state: "missing".into(),
            error: None,
            rebuild_position: None,
            parked: 0,
            updated_at: None,
        }
    }
}

fn find<'a>(
    projections: &'a [Arc<dyn Projection>],
    name: &str,
) -> anyhow::Result<&'a Arc<dyn Projection>> {
    projections.iter().find(|projection| projection.table().name == name).with_context(|| {
        let names: Vec<&str> = projections.iter().map(|p| p.table().name).collect();
        format!("there is no projection {name}; there are: {}", names.join(", "))
    })
}

/// Builds one projection anew beside its present rows, and switches.
pub async fn rebuild(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
    name: &str,
) -> anyhow::Result<(Rebuilt, TableDigest)> {
    let projection = find(projections, name)?;
    let built = rebuild::rebuild(pool, std::slice::from_ref(projection)).await?;
    let built = built.into_iter().next().context("nothing was built")?;
    Ok((built, prove::digest(pool, projection).await?))
}

/// Proves every projection against the log.
pub async fn prove(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> anyhow::Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    for projection in projections {
        proofs.push(prove::prove(pool, projection).await?);
    }
    Ok(proofs)
}

/// The digest of every read model.
pub async fn digests(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> anyhow::Result<Vec<TableDigest>> {
    let mut digests = Vec::new();
    for projection in projections {
        digests.push(prove::digest(pool, projection).await?);
    }
    Ok(digests)
}

/// A group of rows that is held back.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct ParkedGroup {
    /// The projection.
    pub projection: String,
    /// The organisation.
    pub tenant_id: Uuid,
    /// The group, or `stream:<type>/<id>`.
    pub group_key: String,
    /// The event that failed; nothing after it is applied to the group.
    pub position: i64,
    /// Its type.
    pub event_type: String,
    /// Why it failed.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it failed first.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub first_at: Timestamp,
    /// When it failed last.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub last_at: Timestamp,
}

/// Everything that is held back.
pub async fn parked(pool: &PgPool) -> anyhow::Result<Vec<ParkedGroup>> {
    let rows = sqlx::query_as("select * from read.parked order by projection, tenant_id, position");
    Ok(rows.fetch_all(pool).await?)
}

/// Tries a parked group again, from the log; nothing when it is right now, otherwise why it stays parked.
pub async fn retry(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
    name: &str,
    tenant: TenantId,
    group: &str,
) -> anyhow::Result<Option<String>> {
    retry::retry(pool, find(projections, name)?, tenant, group).await
}
