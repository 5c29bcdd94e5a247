//! The read models' tables, and what stands in them after a little of everything.

use serde_json::{Value, json};

use crate::support::Place;
use crate::workload::{found, happen, tenant};

#[test]
fn processes_that_fold_nothing_know_every_projection_by_name() {
    let mut names: Vec<_> =
        projectors::all().iter().map(|projection| projection.table().name).collect();
    names.sort_unstable();
    assert_eq!(names, platform::projections::NAMES);
}

#[tokio::test]
async fn every_table_is_as_its_projection_declares() {
    let place = Place::new().await;
    for projection in projectors::all() {
        let table = projection.table();
        let found: Vec<(String, String)> = sqlx::query_as(
            "select attname::text, format_type(atttypid, null) from pg_attribute
             where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum",
        )
        .bind(table.qualified())
        .fetch_all(&place.owner)
        .await
        .unwrap();
        let declared: Vec<(String, String)> = table
            .columns
            .iter()
            .map(|column| {
                let sql = match column.sql.name() {
                    "timestamptz" => "timestamp with time zone",
                    other => other,
                };
                (column.name.to_owned(), sql.to_owned())
            })
            .collect();
        assert_eq!(found, declared, "{}", table.name);
        let key: Vec<String> = sqlx::query_scalar(
            "select a.attname::text from pg_index x
             join lateral unnest(x.indkey) with ordinality k (attnum, n) on true
             join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
             where x.indrelid = $1::text::regclass and x.indisprimary order by k.n",
        )
        .bind(table.qualified())
        .fetch_all(&place.owner)
        .await
        .unwrap();
        assert_eq!(key, table.key, "{}", table.name);
        assert_eq!(key.first().map(String::as_str), Some("tenant_id"), "{}", table.name);
    }
}

#[tokio::test]
async fn a_little_of_everything_is_projected_and_proved() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    let mut last = 0;
    for number in 0..3 {
        found(&place, tenant(number)).await;
        for round in 0..8 {
            last = happen(&place, tenant(number), round).await;
        }
    }
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
    assert_eq!(place.count("read.parked").await, 0);
    assert_eq!(place.count("audit.trail").await, last);
    assert_eq!(place.count("read.identity_users").await, 24);
    for digest in place.digests(&all).await {
        assert!(digest.rows > 0, "{} is empty", digest.name);
    }
}

#[tokio::test]
async fn effective_permissions_are_written_out() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 2).await; // holds role 802, which inherits from 803
    place.reached(&all, last).await;
    projector.stop().await;
    let found: Vec<(String, String)> = sqlx::query_as(
        "select handle, permission from read.rbac_effective_permissions order by permission",
    )
    .fetch_all(&place.owner)
    .await
    .unwrap();
    assert_eq!(found, [("known2".to_owned(), "shop.orders:read".to_owned())]);
}

#[tokio::test]
async fn another_organisation_s_rows_cannot_be_seen() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    for number in 0..2 {
        found(&place, tenant(number)).await;
    }
    let last = happen(&place, tenant(1), 0).await;
    place.reached(&all, last).await;
    projector.stop().await;
    let pool =
        platform::db::connect(&place.database.url, platform::db::Role::QueryApi, 1).await.unwrap();
    for projection in &all {
        let table = projection.table();
        let mut transaction = platform::db::begin_for(&pool, tenant(0)).await.unwrap();
        let foreign: i64 = sqlx::query_scalar(&format!(
            "select count(*) from {} where tenant_id <> '{}'",
            table.qualified(),
            tenant(0)
        ))
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
        assert_eq!(foreign, 0, "{}", table.name);
        transaction.rollback().await.unwrap();
        let without: i64 =
            sqlx::query_scalar(&format!("select count(*) from {}", table.qualified()))
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(without, 0, "{}", table.name);
    }
}

async fn entries(place: &Place, action: &str) -> Vec<Value> {
    let rows: Vec<String> = sqlx::query_scalar(
        "select row_to_json(t)::text from audit.trail t where action = $1 order by tenant_seq",
    )
    .bind(action)
    .fetch_all(&place.owner)
    .await
    .unwrap();
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

#[tokio::test]
async fn the_trail_says_who_did_what_with_before_and_after() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    let last = happen(&place, tenant(0), 5).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;

    let renamed = &entries(&place, "identity.user.renamed").await[0];
    assert_eq!(renamed["actor_id"], "ada");
    assert_eq!(renamed["ip"], "192.0.2.9");
    assert_eq!((&renamed["module"], &renamed["status"]), (&json!("identity"), &json!("success")));
    assert_eq!(
        renamed["changes"],
        json!([{"op": "replace", "path": "/display_name", "before": "***", "value": "***"}])
    );

    assert!(!place.trail_mentions("Renamed 5").await, "a name is in the trail");

    let replaced = &entries(&place, "rbac.policy.role_permissions_replaced").await[0];
    assert_eq!(replaced["resource_type"], "rbac.role");
    assert_eq!(
        replaced["changes"],
        json!([{"op": "add", "path": "/permissions/0", "value": "shop.item5:read"}])
    );

    let removed = &entries(&place, "rbac.user_access.role_removed").await[0];
    assert_eq!(removed["detail"]["reason"], "left");
    assert!(removed["changes"].as_array().unwrap().iter().all(|change| change["op"] == "remove"));

    let refused = &entries(&place, "audit.security_log.command_refused").await[0];
    assert_eq!((&refused["status"], &refused["reason"]), (&json!("failed"), &json!("CODE_TAKEN")));
    assert_eq!(refused["resource_type"], "rbac.policy");
    let denied = &entries(&place, "audit.security_log.access_denied").await[0];
    assert_eq!((&denied["status"], &denied["module"]), (&json!("denied"), &json!("rbac")));
    assert!(!place.trail_mentions("a1").await, "a digest of a token is in the trail");
    projector.stop().await;
}

#[tokio::test]
async fn the_trail_knows_before_also_after_a_restart() {
    let place = Place::new().await;
    let all = projectors::all();
    found(&place, tenant(0)).await;
    for round in 0..6 {
        let last = happen(&place, tenant(0), round).await;
        let projector = place.projector(projectors::all()).await; // knows nothing but the log
        place.reached(&all, last).await;
        projector.kill().await;
    }
    place.prove(&all).await;
}

impl Place {
    async fn trail_mentions(&self, text: &str) -> bool {
        let found = format!("audit.trail t where row_to_json(t)::text like '%\"{text}\"%'");
        self.count(&found).await > 0
    }
}
