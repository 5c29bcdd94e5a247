//! Rows are built anew while everything goes on, and a wrong row is found and named.

use events::audit::ledger::{Archive, Event as LedgerEvent, Ledger};
use jiff::civil::Date;
use projectors::admin;

use crate::support::Place;
use crate::tallies::{self, tell};
use crate::workload::{found, happen, tenant};

async fn shape(place: &Place, table: &str) -> Vec<String> {
    let statement = "select indexdef from pg_indexes where schemaname || '.' || tablename = $1
         union all select format('%s %s %s %s', p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid),
             (select string_agg(r::regrole::text, ',' order by r::regrole::text) from unnest(p.polroles) r))
           from pg_policy p where p.polrelid = $1::text::regclass
         union all select format('%s %s', grantee, privilege_type) from information_schema.role_table_grants
           where table_schema || '.' || table_name = $1
         union all select format('rls %s %s', relrowsecurity, relforcerowsecurity) from pg_class where oid = $1::text::regclass
         union all select format('constraint %s %s', conname, pg_get_constraintdef(oid)) from pg_constraint where conrelid = $1::text::regclass
         union all select format('comment %s %s', objsubid, description) from pg_description where objoid = $1::text::regclass
         order by 1";
    sqlx::query_scalar(statement).bind(table).fetch_all(&place.owner).await.unwrap()
}

#[tokio::test]
async fn a_rebuild_makes_the_same_rows_in_the_same_table() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    found(&place, tenant(0)).await;
    let mut last = 0;
    for round in 0..6 {
        last = happen(&place, tenant(0), round).await;
    }
    place.reached(&all, last).await;
    let before = place.digests(&all).await;
    for projection in &all {
        let table = projection.table().qualified();
        let shaped = shape(&place, &table).await;
        for _ in 0..2 {
            let (built, digest) =
                admin::rebuild(&place.pool, &all, projection.table().name).await.unwrap();
            assert_eq!(built.position, last);
            assert!(before.contains(&digest), "{digest:?} {before:?}");
            assert_eq!(shape(&place, &table).await, shaped, "{table}");
        }
    }
    let last = happen(&place, tenant(0), 77).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
    assert_eq!(
        place.count("pg_class where relname like '%\\_\\_next' or relname like '%\\_\\_old'").await,
        0
    );
    assert!(place.count("read.rbac_effective_permissions").await > 0);
}

#[tokio::test]
async fn a_rebuild_goes_on_while_events_arrive_and_rows_are_read() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 0).await;
    place.reached(&all, last).await;
    let writing = async {
        let mut last = 0;
        for round in 1..40 {
            last = happen(&place, tenant(0), round).await;
            assert!(place.count("read.identity_users").await > 0, "rows were away");
        }
        last
    };
    let building = async {
        for name in ["identity_users", "audit_trail", "rbac_roles", "rbac_assignments"] {
            admin::rebuild(&place.pool, &all, name).await.unwrap();
        }
    };
    let (last, ()) = tokio::join!(writing, building);
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn a_projection_is_not_rebuilt_twice_at_once() {
    let place = Place::new().await;
    let all = projectors::all();
    let last = found(&place, tenant(0)).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    let mut other = place.pool.acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(hashtextextended('annals rebuild rbac_roles', 0))")
        .execute(&mut *other)
        .await
        .unwrap();
    let refused = admin::rebuild(&place.pool, &all, "rbac_roles").await.unwrap_err();
    assert!(refused.to_string().contains("is being rebuilt already"), "{refused}");
    drop(other);
    projector.stop().await;
}

#[tokio::test]
async fn another_build_is_made_at_the_start_while_the_old_rows_are_read() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let old = place.projector(tallies::projection::<1>()).await;
    let last = tell(&place, tenant(0), 1, "one").await;
    place.reached(&tallies::projection::<1>(), last).await;
    old.stop().await;
    let new = place.projector(tallies::projection::<2>()).await;
    place.until("select build = 2 from read.checkpoints", |question| question).await;
    let last = tell(&place, tenant(0), 1, "two").await;
    place.reached(&tallies::projection::<2>(), last).await;
    new.stop().await;
    place.prove(&tallies::projection::<2>()).await;
    assert_eq!(place.count("read.test_tallies where build = 2 and messages = 2").await, 1);
}

#[tokio::test]
async fn a_program_of_an_older_build_leaves_newer_rows_alone() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let new = place.projector(tallies::projection::<2>()).await;
    let last = tell(&place, tenant(0), 1, "one").await;
    place.reached(&tallies::projection::<2>(), last).await;
    new.stop().await;
    let mut mixed = projectors::all();
    mixed.extend(tallies::projection::<1>());
    let old = place.projector(mixed).await;
    let last = tell(&place, tenant(0), 1, "two").await;
    place.reached(&projectors::all(), last).await;
    old.stop().await;
    assert_eq!(place.count("read.checkpoints where build = 2 and position = 1").await, 1);
    assert_eq!(place.count("read.test_tallies where build = 2 and messages = 1").await, 1);
}

#[tokio::test]
async fn a_wiped_read_side_comes_back_identical() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 3).await;
    place.reached(&all, last).await;
    projector.stop().await;
    let before = place.digests(&all).await;
    for projection in &all {
        place.run(&format!("truncate {}", projection.table().qualified())).await;
    }
    place.run("delete from read.checkpoints").await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    projector.stop().await;
    assert_eq!(place.digests(&all).await, before);
}

#[tokio::test]
async fn a_new_epoch_of_the_log_is_projected_anew() {
    let place = Place::new().await;
    let all = projectors::all();
    let last = found(&place, tenant(0)).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    place.run("update log.head set epoch = 2").await;
    place.until("select bool_and(epoch = 2 and state = 'live') from read.checkpoints", |q| q).await;
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn a_row_altered_by_hand_is_found_and_named() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 3).await;
    place.reached(&all, last).await;
    place.prove(&all).await;
    place.run("update read.rbac_roles set level = 99 where code = 'R803'").await;
    place.run("delete from audit.trail where tenant_seq = 5").await;
    let proofs = admin::prove(&place.pool, &all).await.unwrap();
    let wrong: Vec<_> = proofs.iter().filter(|proof| !proof.equal).collect();
    let names: Vec<_> = wrong.iter().map(|proof| proof.name).collect();
    assert_eq!(names, ["rbac_roles", "audit_trail"]);
    let role = wrong[0].first_wrong_row.as_ref().unwrap();
    assert_eq!(role.live.as_ref().unwrap()["level"], 99);
    assert_eq!(role.shadow.as_ref().unwrap()["level"], 10);
    assert_eq!(role.key["role_id"], role.live.as_ref().unwrap()["role_id"]);
    let entry = wrong[1].first_wrong_row.as_ref().unwrap();
    assert_eq!((&entry.live, &entry.key["tenant_seq"]), (&None, &serde_json::json!(5)));
    admin::rebuild(&place.pool, &all, "rbac_roles").await.unwrap();
    admin::rebuild(&place.pool, &all, "audit_trail").await.unwrap();
    projector.stop().await;
    place.prove(&all).await;
}

#[tokio::test]
async fn the_list_names_what_is_missing_and_what_is_unknown() {
    let place = Place::new().await;
    let all = projectors::all();
    let last = found(&place, tenant(0)).await;
    let before = admin::list(&place.pool, &all).await.unwrap();
    assert!(before.iter().all(|one| one.state == "missing" && one.lag_positions == last));
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    place
        .run("insert into read.checkpoints (projection, build, epoch, state) values ('old', 1, 1, 'live')")
        .await;
    let after = admin::list(&place.pool, &all).await.unwrap();
    let old = after.last().unwrap();
    assert_eq!((&*old.name, &*old.state, old.lag_positions), ("old", "unknown", last));
    assert!(
        after[..after.len() - 1].iter().all(|one| one.state == "live" && one.lag_positions == 0)
    );
    projector.stop().await;
}

async fn partitions(place: &Place) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'audit.trail'::regclass and c.relrowsecurity and c.relforcerowsecurity
            and c.relacl is null order by 1",
    )
    .fetch_all(&place.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_trail_has_a_partition_for_each_month_and_those_ahead_also_after_a_rebuild() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    let mut last = happen(&place, tenant(0), 1).await;
    let long_ago = "set session_replication_role = replica;
        update log.events set recorded_at = recorded_at - interval '70 days' where tenant_seq < 4;
        set session_replication_role = default";
    sqlx::raw_sql(long_ago).execute(&place.owner).await.unwrap();
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    let made = partitions(&place).await;
    assert!(made.len() >= 5, "{made:?}");
    assert!(made.iter().all(|name| name.starts_with("trail_20")), "{made:?}");
    projector.stop().await;

    admin::rebuild(&place.pool, &all, "audit_trail").await.unwrap();
    assert_eq!(partitions(&place).await, made);
    place.prove(&all).await;

    // The next events are written into the rebuilt partitions.
    last = happen(&place, tenant(0), 2).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    place.prove(&all).await;
    projector.stop().await;
}

/// As it was before there were months: a table of its own, which is read until the next build is in its place.
#[tokio::test]
async fn a_trail_without_months_gets_them_with_its_next_build() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 1).await;
    let before =
        "create table audit.whole (like audit.trail including defaults including constraints);
        alter table audit.whole add primary key (tenant_id, tenant_seq);
        create index whole_at_idx on audit.whole (tenant_id, at, tenant_seq);
        drop table audit.trail; alter table audit.whole rename to trail;
        alter table audit.trail owner to annals_owner; select read.protect('audit.trail')";
    sqlx::raw_sql(before).execute(&place.owner).await.unwrap();
    assert!(partitions(&place).await.is_empty());
    admin::rebuild(&place.pool, &all, "audit_trail").await.unwrap();
    assert!(partitions(&place).await.len() >= 3);
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    place.prove(&all).await;
    projector.stop().await;
}

/// How many entries of the past and of the present the trail has.
async fn entries(place: &Place) -> (i64, i64) {
    let past = place.count("audit.trail where at < now() - interval '40 days'").await;
    (past, place.count("audit.trail").await - past)
}

async fn first_month(place: &Place) -> Date {
    let month: String = sqlx::query_scalar(
        "select to_char(min(recorded_at) at time zone 'UTC', 'YYYY-MM-\"01\"') from log.events",
    )
    .fetch_one(&place.owner)
    .await
    .unwrap();
    month.parse().unwrap()
}

/// What an organisation's ledger says of a month that left the trail.
fn archived_and_dropped(month: Date) -> [LedgerEvent; 2] {
    let archive = Archive {
        month,
        file_id: events::testing::id(9),
        sha256: "ab".repeat(32),
        size_bytes: 1,
        rows: 1,
        first_seq: 1,
        last_seq: 1,
        checkpoint_size: 1,
        checkpoint_root: "root".into(),
    };
    [LedgerEvent::Archived(archive), LedgerEvent::MonthDropped { month }]
}

/// Has everything so far happened in a month that is over.
async fn grow_old(place: &Place) {
    let long_ago = "set session_replication_role = replica;
        update log.events set recorded_at = recorded_at - interval '70 days';
        set session_replication_role = default";
    sqlx::raw_sql(long_ago).execute(&place.owner).await.unwrap();
}

#[tokio::test]
async fn a_dropped_month_stays_dropped_live_rebuilt_and_tried_again() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    found(&place, tenant(1)).await;
    let old = happen(&place, tenant(0), 1).await;
    grow_old(&place).await;
    let last = happen(&place, tenant(0), 2).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    assert_eq!(entries(&place).await, (old, last - old));

    let month = first_month(&place).await;
    let events = archived_and_dropped(month);
    let last = place.append::<Ledger>(tenant(0), tenant(0), events).await;
    place.reached(&all, last).await;
    let (others, present) = entries(&place).await;
    let of_other = format!("audit.trail where tenant_id = '{}'", tenant(1));
    assert_eq!((others, present), (place.count(&of_other).await, last - old));
    place.prove(&all).await;
    projector.stop().await;

    admin::rebuild(&place.pool, &all, "audit_trail").await.unwrap();
    assert_eq!(entries(&place).await, (others, present));
    place.prove(&all).await;

    let group = format!("rbac.policy/{}", tenant(0));
    sqlx::query(
        "insert into read.parked (projection, tenant_id, group_key, position, event_type, error)
         values ('audit_trail', $1, $2, 1, 'x', 'y')",
    )
    .bind(tenant(0).0)
    .bind(&group)
    .execute(&place.owner)
    .await
    .unwrap();
    let tried = admin::retry(&place.pool, &all, "audit_trail", tenant(0), &group).await.unwrap();
    assert_eq!(tried, None);
    assert_eq!(entries(&place).await, (others, present));
}

/// A month is archived and dropped by one organisation at a time; what is left of others holds its partition.
#[tokio::test]
async fn the_partition_of_a_past_month_goes_with_the_last_organisation_s_entries() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    found(&place, tenant(1)).await;
    grow_old(&place).await;
    let last = happen(&place, tenant(0), 2).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    let month = first_month(&place).await;
    let part = month.strftime("trail_%Y%m").to_string();
    let before = partitions(&place).await;
    assert!(before.contains(&part), "{before:?}");
    let emptied = async |moment: &str| -> bool {
        let dropped = format!("select read.drop_emptied_month('audit', 'trail', {moment})");
        sqlx::query_scalar(&dropped).fetch_one(&place.owner).await.unwrap()
    };
    let of_that_month = format!("'{month}T12:00:00Z'");
    assert!(!emptied(&of_that_month).await, "nobody has archived it");

    let dropped = archived_and_dropped(month);
    let last = place.append::<Ledger>(tenant(0), tenant(0), dropped.clone()).await;
    place.reached(&all, last).await;
    assert!(
        !emptied(&of_that_month).await
            && !emptied("now()").await
            && !emptied("now() + '40d'").await
    );
    assert_eq!(partitions(&place).await, before, "the other organisation's are still in it");

    let last = place.append::<Ledger>(tenant(1), tenant(1), dropped).await;
    place.reached(&all, last).await;
    let left: Vec<String> = before.into_iter().filter(|name| *name != part).collect();
    assert_eq!(partitions(&place).await, left);
    place.prove(&all).await;
    projector.stop().await;
}
