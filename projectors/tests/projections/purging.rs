//! An organisation is purged: no read model holds a row of it any more, live, rebuilt or proven, and others are as they were.

use events::TenantId;
use events::identity::organization::{Event, Organization};
use projectors::admin;

use crate::support::Place;
use crate::workload::{found, happen, tenant};

/// Tables with organisations that projectors leave alone of a purged one: what proves that the log was not altered, and months that
/// an operator brought back, which go with the rest of what command-api forgets.
const KEPT: &[&str] =
    &["audit.checkpoints", "audit.notary_states", "audit.trail_restored", "audit.tree_tiles"];

/// Every table of read models that has a column for the organisation, as Postgres knows them.
async fn tables(place: &Place) -> Vec<String> {
    let all: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
          where c.relkind in ('r', 'p') and not c.relispartition
            and c.relnamespace::regnamespace::text in ('read', 'audit') order by 1",
    )
    .fetch_all(&place.owner)
    .await
    .unwrap();
    assert!(KEPT.iter().all(|kept| all.iter().any(|table| table == kept)), "{all:?}");
    all.into_iter().filter(|table| !KEPT.contains(&&**table)).collect()
}

/// The tables that hold something of an organisation.
async fn holding(place: &Place, tenant: TenantId) -> Vec<String> {
    let mut holding = Vec::new();
    for table in tables(place).await {
        if place.count(&format!("{table} where tenant_id = '{tenant}'")).await > 0 {
            holding.push(table);
        }
    }
    holding
}

/// Two organisations with something in every table, one event of each that no read model of users can fold.
async fn two(place: &Place) -> i64 {
    let mut last = 0;
    for of in [tenant(0), tenant(1)] {
        found(place, of).await;
        for round in 0..6 {
            happen(place, of, round).await;
        }
        let renamed = r#"{"type":"identity.user.renamed","display_name":"Nobody"}"#;
        let poison = [("identity.user.renamed".to_owned(), renamed.to_owned())];
        last = place.append_raw(of, ("identity.user", &of.to_string()), &poison).await;
    }
    last
}

#[tokio::test]
async fn of_a_purged_organisation_no_read_model_keeps_a_row_and_no_rebuild_brings_one_back() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    let last = two(&place).await;
    place.reached(&all, last).await;
    assert_eq!(holding(&place, tenant(0)).await, tables(&place).await, "something in every table");
    assert_eq!(holding(&place, tenant(1)).await, tables(&place).await);
    let of_other = "read.identity_users where tenant_id <> ";
    let others = place.count(&format!("{of_other} '{}'", tenant(0))).await;

    happen(&place, tenant(0), 90).await; // perhaps in the same batch
    let last = place.append::<Organization>(tenant(0), tenant(0), [Event::Purged]).await;
    place.reached(&all, last).await;
    assert_eq!(holding(&place, tenant(0)).await, Vec::<String>::new());
    assert_eq!(holding(&place, tenant(1)).await, tables(&place).await);
    assert_eq!(place.count(&format!("{of_other} '{}'", tenant(0))).await, others);

    let last = happen(&place, tenant(1), 91).await;
    place.reached(&all, last).await;
    projector.stop().await;
    place.prove(&all).await;
    let before = place.digests(&all).await;
    for projection in &all {
        let (_, digest) = admin::rebuild(&place.pool, &all, projection.table().name).await.unwrap();
        assert!(before.contains(&digest), "{digest:?} {before:?}");
    }
    assert_eq!(holding(&place, tenant(0)).await, Vec::<String>::new());
    place.prove(&all).await;
}

#[tokio::test]
async fn an_organisation_that_is_purged_while_a_read_model_is_rebuilt_is_gone_from_both() {
    let place = Place::new().await;
    let all = projectors::all();
    let projector = place.projector(projectors::all()).await;
    let last = two(&place).await;
    place.reached(&all, last).await;
    let building = async {
        for name in ["audit_trail", "identity_users", "rbac_roles"] {
            admin::rebuild(&place.pool, &all, name).await.unwrap();
        }
    };
    let purging = async {
        for round in 100..110 {
            happen(&place, tenant(0), round).await;
        }
        place.append::<Organization>(tenant(0), tenant(0), [Event::Purged]).await
    };
    let (last, ()) = tokio::join!(purging, building);
    place.reached(&all, last).await;
    projector.stop().await;
    assert_eq!(holding(&place, tenant(0)).await, Vec::<String>::new());
    place.prove(&all).await;
}
