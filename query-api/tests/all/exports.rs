//! The history of exports and the templates that they are made by, as people ask for them.

use events::exports::export::{self, Export};
use events::exports::template::{self, Template};
use events::exports::{Layout, Report};
use events::{Permission, TemplateId};
use serde_json::json;

use crate::support::{World, column, new};

#[tokio::test]
async fn the_history_is_found_by_whose_it_is_and_shows_what_became_of_the_file() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let may = [Permission::ExportsFilesRequest, Permission::RbacRolesRead];
    let anna = world.entitled(&org, "anna", &may).await;
    let (of_owner, of_anna) = (world.export(&org.owner).await, world.export(&anna).await);
    let by = (org.tenant, &*org.owner.user.to_string());
    let started = export::Event::Started { attempt: 1, worker: "w".into() };
    let completed = export::Event::Completed(export::File {
        file_id: new(),
        file_name: "roles.csv".into(),
        size_bytes: 1,
        sha256: "0".repeat(64),
        rows: 1,
        position: 1,
        expires_at: "2126-01-01T00:00:00Z".parse().unwrap(),
        units: Vec::new(),
        manifest: None,
    });
    let archived = export::Event::Archived { by: org.owner.user };
    world.append::<Export>(by, of_owner, [started, completed, archived]).await;
    world.settled().await;
    let all = world.body("/exports?fields=export_id", &org.owner).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    let filter = format!("/exports?filter=requested_by%3D%22{}%22", anna.user);
    let hers = world.body(&filter, &org.owner).await;
    assert_eq!(column(&hers, "export_id"), [of_anna.to_string()]);
    let own = world.body("/exports", &anna).await;
    assert_eq!(column(&own, "export_id"), [of_anna.to_string()]);
    let kept = world.body(&format!("/exports/{of_owner}"), &org.owner).await;
    assert_eq!((&kept["status"], &kept["expires_at"]), (&json!("succeeded"), &json!(null)));
    assert!(kept["archived_at"].is_string(), "{kept}");
    let deleted = export::Event::Deleted { by: org.owner.user };
    world.append::<Export>(by, of_owner, [deleted]).await;
    world.settled().await;
    let gone = world.body(&format!("/exports/{of_owner}"), &org.owner).await;
    assert_eq!((&gone["status"], &gone["archived_at"]), (&json!("expired"), &kept["archived_at"]));
    assert_eq!(gone["deleted_by"], json!(org.owner.user));
    world.end().await;
}

#[tokio::test]
async fn templates_are_listed_for_whoever_may_ask_for_files() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let anna = world.entitled(&org, "anna", &[Permission::ExportsFilesRequest]).await;
    let nobody = world.person(org.tenant, "nobody").await;
    let report = Report {
        dataset: "identity.users".into(),
        columns: vec!["handle".into()],
        layout: Layout { footer: Some("Acme".into()), ..Layout::default() },
        ..Report::default()
    };
    let template: TemplateId = new();
    let by = (org.tenant, &*org.owner.user.to_string());
    let name = "People".to_owned();
    let defined = template::Event::Defined { name: name.clone(), report };
    world.append::<Template>(by, template, [defined]).await;
    world.settled().await;
    let filter = "/exports/templates?filter=name%3D%22People%22%20AND%20status%3D%22defined%22";
    let found = world.body(filter, &anna).await;
    assert_eq!(column(&found, "template_id"), [template.to_string()]);
    let path = format!("/exports/templates/{template}");
    let one = world.body(&path, &anna).await;
    assert_eq!((&one["columns"], &one["layout"]), (&json!(["handle"]), &json!({"footer": "Acme"})));
    assert_eq!(world.problem(&path, &nobody).await.0, 403);
    world.append::<Template>(by, template, [template::Event::Retired { name }]).await;
    world.settled().await;
    assert_eq!(world.body(&path, &anna).await["status"], "retired");
    assert_eq!(column(&world.body(filter, &anna).await, "template_id"), Vec::<String>::new());
    world.end().await;
}
