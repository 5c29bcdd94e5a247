//! What the API says about itself, and the files it hands out.

use std::path::Path;

use events::FileId;
use events::exports::export::{self, Export};
use platform::clock;
use platform::dataset::datasets;
use platform::files::{Files, Link, sign_link};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{Person, World, hours_from_now, new};

const COMMITTED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/openapi-query.json");

#[test]
fn the_committed_description_is_that_of_the_source() {
    let document = query_api::document();
    if std::env::var_os("ANNALS_GENERATE").is_some() {
        std::fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        std::fs::write(COMMITTED, format!("{document:#}\n")).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(
        committed == document,
        "openapi-query.json is stale: run ANNALS_GENERATE=1 cargo test -p query-api description"
    );
}

#[test]
fn the_committed_description_of_the_events_is_that_of_the_catalogue() {
    let document = query_api::events_document();
    platform::testkit::committed("docs/reference/asyncapi.json", &format!("{document:#}\n"))
        .unwrap();
    let events = events::catalogue::all();
    assert_eq!(document["components"]["messages"].as_object().unwrap().len(), events.len());
    for event in &events {
        let channel = &document["channels"][&event.event_type];
        let message = &channel["messages"][&event.event_type]["$ref"];
        let message = message.as_str().and_then(|path| document.pointer(&path[1..]));
        assert_eq!(message.map(|message| &message["payload"]), Some(&event.schema));
    }
}

#[test]
fn every_operation_is_described_and_every_reference_leads_somewhere() {
    let document = query_api::document();
    let mut operations = std::collections::HashSet::new();
    for route in query_api::routes() {
        assert!(operations.insert(route.operation), "{} twice", route.operation);
        assert!(!route.summary.is_empty(), "{} has no summary", route.operation);
        assert!(route.operation.starts_with(route.module.name()), "{}", route.operation);
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        let found = document["components"]["schemas"].get(name);
        assert!(
            found.is_some_and(|schema| schema["properties"] != serde_json::json!({})),
            "{name}"
        );
    }
    for module in events::Module::ALL {
        for dataset in datasets(*module) {
            let listed = document["components"]["schemas"].get(dataset.name).is_some();
            assert!(listed, "no route shows {}", dataset.name);
        }
    }
}

#[tokio::test]
async fn the_process_answers_for_itself() {
    let world = World::start().await;
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        let url = format!("{}{path}", world.settings.query_url);
        let answer = world.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let url = format!("{}/api/v1/nothing", world.settings.query_url);
    let answer = world.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    world.end().await;
}

#[tokio::test]
async fn the_page_of_the_documentation_asks_for_nothing_that_its_policy_forbids() {
    let world = World::start().await;
    let get = async |path: &str| {
        let url = format!("{}/docs/{path}", world.settings.query_url);
        let answer = world.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        (policy, answer.text().await.unwrap())
    };
    let (policy, page) = get("").await;
    for wanted in ["script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'"]
    {
        assert!(policy.contains(wanted), "{wanted} is not in {policy}");
    }
    assert!(!page.contains("<style") && !page.contains("style=\""), "{page}");
    let scripts: Vec<&str> = page.split("<script").skip(1).collect();
    assert!(scripts.iter().all(|script| script.starts_with(" src=\"./")), "{page}");
    let named = page.split("src=\"").skip(1).chain(page.split("href=\"").skip(1));
    for path in named.filter_map(|rest| rest.split('"').next()) {
        assert!(!path.contains("//"), "{path} is not ours");
        get(path.trim_start_matches("./")).await;
    }
    let begins = get("swagger-initializer.js").await.1;
    assert!(begins.contains(r#""validatorUrl": "none""#), "nobody else is asked: {begins}");
    world.end().await;
}

async fn completed(world: &World, person: &Person, content: &[u8]) -> (events::ExportId, FileId) {
    let (export, file): (_, FileId) = (world.export(person).await, new());
    let files = Files::open(&world.settings).unwrap();
    let stored = files.put(person.tenant, file, content).await.unwrap();
    let file_made = export::File {
        file_id: file,
        file_name: "roles – 2026.csv".into(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        rows: 1,
        position: 1,
        expires_at: hours_from_now(1),
        units: Vec::new(),
        manifest: None,
    };
    let started = export::Event::Started { attempt: 1, worker: "w".into() };
    let events = [started, export::Event::Completed(file_made)];
    world.append::<Export>((person.tenant, "workers"), export, events).await;
    (export, file)
}

#[tokio::test]
async fn a_file_is_fetched_by_its_link_whole_or_in_parts() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (export, file) = completed(&world, &org.owner, b"code\nowner\n").await;
    let link = |file, seconds: i64| Link {
        tenant: org.tenant,
        user: org.owner.user,
        file,
        expires_at: clock::now() + jiff::SignedDuration::from_secs(seconds),
    };
    let get_as = |id: events::ExportId, link: Link, format: &str| {
        let token = sign_link(&world.master, &link);
        let base = &world.settings.query_url;
        world.client.get(format!("{base}/api/v1/exports/download/{id}?link={token}{format}"))
    };
    let get = |id, link| get_as(id, link, "");
    let whole = get(export, link(file, 60)).send().await.unwrap();
    let headers = whole.headers().clone();
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; "));
    assert_eq!(whole.text().await.unwrap(), "code\nowner\n");
    let part = get(export, link(file, 60)).header("range", "bytes=5-9").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 5-9/11");
    assert_eq!(part.text().await.unwrap(), "owner");

    let csv = get_as(export, link(file, 60), "&format=csv").send().await.unwrap();
    assert_eq!(csv.text().await.unwrap(), "code\nowner\n");

    for (refused, status) in [
        (get_as(export, link(file, 60), "&format=xlsx"), StatusCode::NOT_ACCEPTABLE),
        (get(export, link(file, -1)), StatusCode::UNAUTHORIZED),
        (get(export, link(new(), 60)), StatusCode::NOT_FOUND),
        (get(new(), link(file, 60)), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(refused.send().await.unwrap().status(), status);
    }
    let expired = export::Event::Expired;
    world.append::<Export>((org.tenant, "workers"), export, [expired]).await;
    let gone = get(export, link(file, 60)).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    world.end().await;
}
