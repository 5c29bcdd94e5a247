//! Trying a parked group again: its rows are folded anew from the log, so nothing depends on what happened meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use events::audit::ledger::Ledger;
use events::{Decider as _, TenantId};
use sqlx::{Connection, PgConnection, PgPool};

use super::checkpoints::{self, Held};
use super::log::{Scan, Wanted};
use super::pack::write;
use super::projection::{Fold, Projection, Work};
use super::shadow::CHUNK;
use super::statements::Statements;
use crate::model::{Fact, FoldError};

/// Tries one group again, while whoever feeds the projection waits; nothing when it succeeds, otherwise why not.
pub(crate) async fn retry(
    pool: &PgPool,
    projection: &Arc<dyn Projection>,
    tenant: TenantId,
    group: &str,
) -> anyhow::Result<Option<String>> {
    let name = projection.table().name;
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("set local idle_in_transaction_session_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    let to = checkpoints::lock(&mut transaction, name).await?.position;
    let from: i64 = sqlx::query_scalar(
        "select position from read.parked where projection = $1 and tenant_id = $2 and group_key = $3",
    )
    .bind(name)
    .bind(tenant.0)
    .bind(group)
    .fetch_optional(&mut *transaction)
    .await?
    .with_context(|| format!("{name} holds back no group {group} of {tenant}"))?;
    let mut attempt = Attempt {
        pool,
        projection,
        tenant,
        to,
        others: Held::read(&mut transaction, name).await?.without(tenant, group),
    };
    let mut inner = transaction.begin().await?;
    let tried = attempt.redo(&mut inner, group, from).await;
    let failed = match tried {
        Ok(()) => {
            inner.commit().await?;
            settle(&mut transaction, name, tenant, group).await?;
            None
        }
        Err(error) => {
            inner.rollback().await?;
            let error = format!("{error:#}");
            note(&mut transaction, (name, tenant, group), &error).await?;
            Some(error)
        }
    };
    transaction.commit().await?;
    Ok(failed)
}

struct Attempt<'a> {
    pool: &'a PgPool,
    projection: &'a Arc<dyn Projection>,
    tenant: TenantId,
    to: i64,
    others: Held,
}

impl Attempt<'_> {
    async fn redo(
        &mut self,
        connection: &mut PgConnection,
        group: &str,
        from: i64,
    ) -> anyhow::Result<()> {
        let mut groups = self.groups(group, from).await?;
        if self.projection.append_only() {
            groups.insert(format!("{}/{}", Ledger::TYPE, self.tenant)); // what was dropped stays dropped
        }
        let statements = Statements::new(self.projection.table());
        if !self.projection.append_only() {
            for group in &groups {
                sqlx::query(&statements.delete_group)
                    .bind(self.tenant.0)
                    .bind(group)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        let mut fold = self.projection.fold(true);
        let mut scan = self.scan(0);
        while let Some(facts) = scan.next().await? {
            let work = self.work(&*fold, &facts, &groups)?;
            fold.load(connection, &work).await?;
            for one in &work {
                let at = one.fact.recorded.position;
                fold.fold(one).with_context(|| format!("the event at position {at} fails"))?;
            }
        }
        write(connection, &statements, &fold.take(usize::MAX)?).await?;
        Ok(())
    }

    fn scan(&self, after: i64) -> Scan {
        let types = self.projection.table().reads.iter().map(|name| (*name).to_owned()).collect();
        let metadata = self.projection.reads_metadata();
        let wanted = Wanted { types, tenant: Some(self.tenant), metadata };
        Scan::start(self.pool, after, self.to, CHUNK, wanted)
    }

    /// The groups of rows concerned: the one parked, or all that the events of a parked stream touch.
    async fn groups(&self, parked: &str, from: i64) -> anyhow::Result<BTreeSet<String>> {
        let Some(stream) = parked.strip_prefix("stream:") else {
            return Ok([parked.to_owned()].into());
        };
        let (kind, id) = stream.split_once('/').ok_or_else(|| anyhow!("{parked} is no stream"))?;
        let fold = self.projection.fold(true);
        let mut groups = BTreeSet::new();
        let mut scan = self.scan(from - 1);
        while let Some(facts) = scan.next().await? {
            for fact in &facts {
                let recorded = &fact.recorded;
                if recorded.aggregate_type == kind && recorded.aggregate_id == id {
                    groups.extend(fold.group(fact)?);
                }
            }
        }
        Ok(groups)
    }

    fn work<'f>(
        &self,
        fold: &dyn Fold,
        facts: &'f [Fact],
        groups: &BTreeSet<String>,
    ) -> Result<Vec<Work<'f>>, FoldError> {
        let mut work = Vec::new();
        for fact in facts.iter().filter(|fact| !self.others.holds_stream(fact)) {
            let Some(group) = fold.group(fact)? else { continue };
            if groups.contains(&group) && !self.others.holds(fact, &group) {
                work.push(Work { fact, group });
            }
        }
        Ok(work)
    }
}

/// The group is right again, and whoever feeds the projection has to know.
async fn settle(
    connection: &mut PgConnection,
    name: &str,
    tenant: TenantId,
    group: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from read.parked where projection = $1 and tenant_id = $2 and group_key = $3",
    )
    .bind(name)
    .bind(tenant.0)
    .bind(group)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update read.checkpoints set generation = generation + 1, updated_at = now() where projection = $1",
    )
    .bind(name)
    .execute(connection)
    .await
    .map(|_| ())
}

async fn note(
    connection: &mut PgConnection,
    (name, tenant, group): (&str, TenantId, &str),
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update read.parked set attempts = attempts + 1, error = $4, last_at = now()
         where projection = $1 and tenant_id = $2 and group_key = $3",
    )
    .bind(name)
    .bind(tenant.0)
    .bind(group)
    .bind(error)
    .execute(connection)
    .await
    .map(|_| ())
}
