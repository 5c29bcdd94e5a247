//! Where a file stands in the log: at the last event that it can depend on, so that files of the same state are the same bytes.

use events::audit::{ledger::Ledger, security_log::SecurityLog};
use events::exports::batch::Batch;
use events::exports::export::Export;
use events::identity::organization::Organization;
use events::identity::presence::Presence;
use events::identity::session::Session;
use events::identity::user::User;
use events::notifications::notification::Notification;
use events::rbac::policy::Policy;
use events::rbac::user_access::UserAccess;
use events::settings::configuration::Configuration;
use events::{Decider, TenantId};
use jiff::Timestamp;
use platform::dataset::Dataset;
use platform::transparency::manifest::AsOf;
use sqlx::{PgConnection, PgPool};

/// What goes on beside the business of an organisation, among it the making of files itself. No row, name, right or setting depends on it,
/// but for the datasets of its own module, and for the audit trail, which has everything.
const BESIDE: &[(&str, &str)] = &[
    ("exports", Export::TYPE),
    ("exports", Batch::TYPE),
    ("notifications", Notification::TYPE),
    ("identity", Session::TYPE),
    ("identity", Presence::TYPE),
    ("audit", SecurityLog::TYPE),
    ("audit", Ledger::TYPE),
];

/// What decides besides the rows what stands in a file: names, rights, and settings.
const AROUND: &[&str] =
    &[Organization::TYPE, User::TYPE, Policy::TYPE, UserAccess::TYPE, Configuration::TYPE];

/// The last event up to a position that rows of a dataset can depend on, and when it was recorded.
pub(super) async fn read(
    connection: &mut PgConnection,
    tenant: TenantId,
    dataset: &Dataset,
    until: i64,
) -> Result<AsOf, sqlx::Error> {
    let module = dataset.name.split('.').next().unwrap_or_default();
    let beside: Vec<&str> = BESIDE
        .iter()
        .filter(|(own, _)| module != "audit" && module != *own)
        .map(|(_, kind)| *kind)
        .collect();
    let found: Option<(i64, jiff_sqlx::Timestamp)> = sqlx::query_as(
        "select position, recorded_at from log.events
          where tenant_id = $1 and position <= $2 and aggregate_type <> all ($3)
          order by position desc limit 1",
    )
    .bind(tenant.0)
    .bind(until)
    .bind(beside)
    .fetch_optional(connection)
    .await?;
    let nothing = AsOf { position: 0, time: Timestamp::UNIX_EPOCH };
    Ok(found.map_or(nothing, |(position, time)| AsOf { position, time: time.to_jiff() }))
}

/// Where the log ends.
pub(super) async fn head(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from log.head").fetch_one(pool).await
}

/// Whether names, rights or settings of the organisation may be others since a position.
pub(super) async fn moved(
    pool: &PgPool,
    tenant: TenantId,
    since: i64,
) -> Result<bool, sqlx::Error> {
    let moved = "select exists (select from log.events
                  where tenant_id = $1 and position > $2 and aggregate_type = any ($3))";
    sqlx::query_scalar(moved).bind(tenant.0).bind(since).bind(AROUND).fetch_one(pool).await
}
