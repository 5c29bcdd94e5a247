//! Proof: every read model folded once more from the log at its checkpoint, and both compared row by row.

use std::sync::Arc;

use anyhow::Context as _;
use futures::TryStreamExt;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Executor, PgConnection, PgPool};

use super::projection::Projection;
use super::shadow::{Copier, Shadow, copy_rest, fold_all};
use super::statements::{Statements, first_difference};
use crate::model::Table;

/// The SHA-256 of all rows of a read model, as JSON text in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDigest {
    /// The projection.
    pub name: &'static str,
    /// Where it stands.
    pub position: i64,
    /// How many rows it has.
    pub rows: u64,
    /// Hexadecimal.
    pub digest: String,
}

/// How one read model compares with the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The projection.
    pub name: &'static str,
    /// Where both were compared.
    pub position: i64,
    /// How many rows the read model has.
    pub rows: u64,
    /// Its digest.
    pub digest: String,
    /// The digest of what the log says.
    pub expected: String,
    /// Whether they are the same.
    pub equal: bool,
    /// Groups held back after a failure.
    pub parked: i64,
    /// The first row that differs.
    pub first_wrong_row: Option<WrongRow>,
}

/// A row that is not what the log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WrongRow {
    /// Its key.
    pub key: serde_json::Value,
    /// The row; nothing when it is missing.
    pub live: Option<serde_json::Value>,
    /// What it should be; nothing when it should not be there.
    pub shadow: Option<serde_json::Value>,
}

const SNAPSHOT: &str = "begin isolation level repeatable read; \
    set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0; set local synchronous_commit = off";

/// The digest of one read model.
pub(crate) async fn digest(
    pool: &PgPool,
    projection: &Arc<dyn Projection>,
) -> anyhow::Result<TableDigest> {
    let table = projection.table();
    let mut connection = pool.acquire().await?;
    connection.execute(SNAPSHOT).await?;
    let position = position(&mut connection, table).await?;
    let (rows, digest) = digest_of(&mut connection, &Statements::new(table).ordered).await?;
    connection.execute("rollback").await?;
    Ok(TableDigest { name: table.name, position, rows, digest })
}

/// Proves one read model.
pub(crate) async fn prove(
    pool: &PgPool,
    projection: &Arc<dyn Projection>,
) -> anyhow::Result<Proof> {
    let table = projection.table();
    let mut connection = pool.acquire().await?;
    connection.execute(SNAPSHOT).await?;
    let position = position(&mut connection, table).await?;
    let parked: i64 = sqlx::query_scalar("select count(*) from read.parked where projection = $1")
        .bind(table.name)
        .fetch_one(&mut *connection)
        .await?;
    let name = format!("proof_{}", table.name);
    let columns: Vec<String> =
        table.columns.iter().map(|c| format!("{} {}", c.name, c.sql.name())).collect();
    let create = format!("create temporary table {name} ({}) on commit drop", columns.join(", "));
    connection.execute(create.as_str()).await?;

    let copier = Copier::start(connection, Statements::on(table, &name).copy);
    let mut shadows = [(Shadow::new(projection), Some(copier))];
    fold_all(pool, &mut shadows, (0, position), None).await?;
    let [(mut shadow, copier)] = shadows;
    let copier = copier.context("the copier is gone")?;
    let mut connection = copy_rest(&mut shadow, copier, &Statements::on(table, &name)).await?;

    let (rows, digest) = digest_of(&mut connection, &Statements::new(table).ordered).await?;
    let (_, expected) = digest_of(&mut connection, &Statements::on(table, &name).ordered).await?;
    let equal = digest == expected;
    let first_wrong_row =
        if equal { None } else { wrong_row(&mut connection, table, &name).await? };
    connection.execute("rollback").await?;
    if equal {
        remember(pool, table, &digest, position).await?;
    }
    let name = table.name;
    Ok(Proof { name, position, rows, digest, expected, equal, parked, first_wrong_row })
}

async fn position(connection: &mut PgConnection, table: &Table) -> anyhow::Result<i64> {
    sqlx::query_scalar("select position from read.checkpoints where projection = $1")
        .bind(table.name)
        .fetch_optional(connection)
        .await?
        .with_context(|| {
            format!("{} has no checkpoint yet; start the projectors first", table.name)
        })
}

async fn digest_of(
    connection: &mut PgConnection,
    ordered: &str,
) -> Result<(u64, String), sqlx::Error> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let mut texts = sqlx::query_scalar::<_, String>(ordered).fetch(connection);
    while let Some(text) = texts.try_next().await? {
        hash.update(text.as_bytes());
        hash.update(b"\n");
        rows += 1;
    }
    Ok((rows, hex::encode(hash.finalize())))
}

async fn wrong_row(
    connection: &mut PgConnection,
    table: &Table,
    shadow: &str,
) -> anyhow::Result<Option<WrongRow>> {
    let statement = first_difference(table, &table.qualified(), shadow);
    let found: Option<(String, Option<String>, Option<String>)> =
        sqlx::query_as(&statement).fetch_optional(connection).await?;
    let Some((key, live, shadow)) = found else { return Ok(None) };
    let parse = |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Some(WrongRow {
        key: serde_json::from_str(&key)?,
        live: parse(live)?,
        shadow: parse(shadow)?,
    }))
}

async fn remember(
    pool: &PgPool,
    table: &Table,
    digest: &str,
    position: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update read.checkpoints set digest = $2, digest_position = $3 where projection = $1",
    )
    .bind(table.name)
    .bind(digest)
    .bind(position)
    .execute(pool)
    .await
    .map(|_| ())
}
