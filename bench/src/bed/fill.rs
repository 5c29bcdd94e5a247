//! Long histories made at once: events as users cause them, through `log.append`, thousands at a time.

use anyhow::Context as _;
use sqlx::PgPool;

/// What follows the position in the id of the stream that begins there.
const ID_END: &str = "-0000-7000-8000-0000000f1110";

/// Events of one statement.
const PORTION: i64 = 10_000;

/// Of ten events the first registers a user, the next eight put messages into that user's inbox, and the last reads one.
const FILL: &str = "
with planned as (
  select n, h.position + n as position, (h.position + n) % 10 = 0 as registers, (h.position + n) % 10 = 9 and n > 1 as reads
    from log.head h cross join generate_series(1, $2::integer) n
), drafted as (
  select n, case when registers then 'identity.user' else 'notifications.notification' end as kind,
         lpad(to_hex(case when reads then position - 1 else position end), 8, '0') || $3 as id,
         case when registers then 'identity.user.registered' when reads then 'notifications.notification.read'
              else 'notifications.notification.created' end as type,
         case when registers then format('{\"type\":\"identity.user.registered\",\"handle\":\"user-%s\",\"display_name\":\"User Number %s\",\"locale\":\"en\",\"time_zone\":\"UTC\"}', position, position)
              when reads then '{\"type\":\"notifications.notification.read\"}'
              else format('{\"type\":\"notifications.notification.created\",\"user_id\":\"%s\",\"kind\":\"message\",\"title\":\"The quarterly figures are ready\",\"message\":\"They are in the folder of the finance department; comments until Friday, please.\",\"priority\":\"normal\"}',
                lpad(to_hex(position - position % 10), 8, '0') || $3) end as payload,
         format('{\"actor_id\":\"%s\",\"actor_kind\":\"user\",\"command\":\"notifications_notification_send\",\"correlation_id\":\"%s\",\"ip\":\"127.0.0.1\",\"request_id\":\"%s\"}',
                $1::uuid, lpad(to_hex(position), 8, '0') || $3, lpad(to_hex(position), 8, '0') || $3) as metadata
    from planned
), arrays as (
  select array_agg(1 order by n) as ones, array_agg($1::uuid order by n) as tenants, array_agg(kind order by n) as kinds,
         array_agg(id order by n) as ids, array_agg(gen_random_uuid() order by n) as event_ids, array_agg(type order by n) as types,
         array_agg('1'::text order by n) as versions, array_agg(payload order by n) as payloads,
         array_agg(metadata order by n) as metadatas
    from drafted
)
select max(a.last_position) from arrays cross join lateral log.append(
  a_tenant => array[$1::uuid], a_key => array[null::text], a_fingerprint => array[null::bytea],
  s_append => '{}', s_tenant => '{}', s_type => '{}', s_id => '{}', s_expected => '{}',
  f_append => '{}', f_tenant => '{}', f_type => '{}', f_id => '{}', f_version => '{}',
  c_append => '{}', c_tenant => '{}', c_type => '{}', c_id => '{}', c_namespace => '{}', c_key => '{}', c_take => '{}',
  e_append => ones, e_tenant => tenants, e_aggregate_type => kinds, e_aggregate_id => ids,
  e_id => event_ids, e_type => types, e_version => versions, e_payload => payloads, e_metadata => metadatas) a";

/// The id of the stream that begins at a position, as SQL.
pub(crate) fn id_in_sql(position: &str) -> String {
    format!("(lpad(to_hex({position}), 8, '0') || '{ID_END}')")
}

/// Adds so many events to an organisation's history; the log's last position then.
pub(crate) async fn fill(owner: &PgPool, tenant: &str, events: i64) -> anyhow::Result<i64> {
    let mut left = events;
    let mut position = 0;
    while left > 0 {
        let portion = left.min(PORTION);
        position = sqlx::query_scalar(FILL)
            .bind(tenant)
            .bind(portion)
            .bind(ID_END)
            .fetch_one(owner)
            .await
            .context("cannot fill the log")?;
        left -= portion;
    }
    sqlx::query("analyze log.events, log.streams").execute(owner).await?;
    Ok(position)
}

/// Ids of users that [`fill`] registered.
pub(crate) async fn users(owner: &PgPool, most: i64) -> anyhow::Result<Vec<String>> {
    let ids = sqlx::query_scalar(
        "select user_id::text from read.identity_users where handle like 'user-%' order by user_id limit $1",
    )
    .bind(most)
    .fetch_all(owner)
    .await?;
    Ok(ids)
}
