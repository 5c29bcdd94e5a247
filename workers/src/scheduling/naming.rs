//! The triggers that name something, looked for in the log: so one that was there before is found, whatever read models show.

use events::scheduling::trigger::Trigger;
use events::{Decider as _, TenantId};
use futures::{Stream, TryStreamExt, stream};
use uuid::Uuid;

use crate::runtime::Office;

/// Triggers of one look at the log.
const PAGE: i64 = 500;

/// The triggers of an organisation that are not over and whose terms, by any version, have this id in them, with their states: whoever
/// asks looks at what it is there.
pub(crate) fn naming(
    office: &Office,
    tenant: TenantId,
    named: Uuid,
) -> impl Stream<Item = anyhow::Result<(String, Trigger)>> + Send + '_ {
    let pages = stream::try_unfold(String::new(), move |last| async move {
        let page: Vec<String> = sqlx::query_scalar(NAMING)
            .bind(tenant.0)
            .bind(Trigger::TYPE)
            .bind(named.to_string())
            .bind(last)
            .bind(PAGE)
            .fetch_all(&office.pool)
            .await?;
        let end = page.last().cloned();
        anyhow::Ok(end.map(|last| (stream::iter(page.into_iter().map(anyhow::Ok)), last)))
    });
    pages.try_flatten().try_filter_map(move |trigger: String| async move {
        let known = office.aggregates.refresh::<Trigger>(tenant, &trigger).await?.state;
        Ok((!known.is_over()).then(|| (trigger, Trigger::clone(&known))))
    })
}

const NAMING: &str = "
    select distinct aggregate_id from log.events
     where tenant_id = $1 and aggregate_type = $2
       and event_type in ('scheduling.trigger.created', 'scheduling.trigger.revised')
       and payload::text like '%' || $3 || '%' and aggregate_id > $4
     order by aggregate_id limit $5";
