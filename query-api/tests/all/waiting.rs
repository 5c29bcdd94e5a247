//! Answers that the client has already, and waiting until there are others.

use std::time::{Duration, Instant};

use events::exports::export::{self, Export};
use platform::clock;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::rights::path;
use crate::support::{Person, World, json};

const SOON: Duration = Duration::from_secs(15);
/// Who waits has begun to by then.
const A_MOMENT: Duration = Duration::from_millis(300);

/// What somebody is answered who waits for another answer than they know, while a moment later there is a change.
pub(crate) async fn waited(
    world: &World,
    (path, person): (&str, &Person),
    known: &str,
    change: impl Future,
) -> reqwest::Response {
    let waiting = world.get(path, person).header("if-none-match", known);
    let waiting = waiting.header("prefer", "wait=25").send();
    let change = async {
        tokio::time::sleep(A_MOMENT).await;
        change.await;
    };
    let (answer, ()) = tokio::join!(waiting, change);
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["preference-applied"], "wait=25");
    answer
}

fn tag(response: &reqwest::Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_list_that_did_not_change_is_not_sent_again() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    for path in ["/rbac/roles", "/users?limit=1&count=exact"] {
        let first = world.get(path, &org.owner).send().await.unwrap();
        let tag = tag(&first);
        assert!(tag.starts_with("W/\"") && tag.contains(".p"), "{tag}");
        let again = || world.get(path, &org.owner).header("if-none-match", &tag);
        let same = again().send().await.unwrap();
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(same.headers()["etag"].to_str().unwrap(), tag);
        assert!(same.text().await.unwrap().is_empty());
    }
    let first = tag(&world.get("/rbac/roles", &org.owner).send().await.unwrap());
    world.role(&org, "clerk", &[]).await;
    world.settled().await;
    let other = world.get("/rbac/roles", &org.owner).header("if-none-match", &first);
    assert_eq!(other.send().await.unwrap().status(), StatusCode::OK);
    world.end().await;
}

#[tokio::test]
async fn what_did_not_change_has_the_tag_that_it_had_a_second_ago() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.role(&org, "clerk", &[]).await;
    let export = world.export(&org.owner).await.to_string();
    world.settled().await;
    let asked = query_api::routes().into_iter().filter(|route| route.method == Method::GET);
    let mut asked: Vec<String> = asked.map(|route| path(&route, &org, &export)).collect();
    asked.retain(|path| !path.starts_with("/stream") && !path.contains("/download/"));
    let role = format!("/rbac/roles/{}/history", org.owner_role);
    for list in ["/events", "/rbac/roles", "/rbac/review?from=0&by=role", &role] {
        let list = format!("{list}{}limit=1", if list.contains('?') { '&' } else { '?' });
        let next = world.body(&list, &org.owner).await["page"]["next"].as_str().unwrap().to_owned();
        asked.push(format!("{list}&after={next}")); // from there it also goes back
    }
    let tags = async || {
        let mut tags = Vec::new();
        for path in &asked {
            let answer = world.get(path, &org.owner).send().await.unwrap();
            tags.push((path.clone(), answer.headers().get("etag").cloned()));
        }
        tags
    };
    let before = tags().await;
    let second = clock::now().as_second();
    world.until("a second has begun", || async { clock::now().as_second() > second }).await;
    assert_eq!(tags().await, before);
    let tagged = before.iter().filter(|(_, tag)| tag.is_some()).count();
    assert!(tagged > 40, "only {tagged} answers have a tag");
    world.end().await;
}

#[tokio::test]
async fn who_waits_for_a_change_hears_of_it_as_soon_as_it_can_be_seen() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let other = world.org("other").await;
    world.settled().await;
    let known = tag(&world.get("/rbac/roles", &org.owner).send().await.unwrap());
    let began = Instant::now();
    let change = async {
        world.role(&other, "elsewhere", &[]).await; // no reason to answer
        tokio::time::sleep(A_MOMENT).await;
        world.role(&org, "clerk", &[]).await;
    };
    let answer = waited(&world, ("/rbac/roles", &org.owner), &known, change).await;
    assert_ne!(tag(&answer), known);
    let took = began.elapsed();
    assert!(took >= 2 * A_MOMENT && took < SOON, "{took:?}");
    assert_eq!(json(answer).await["items"].as_array().map(Vec::len), Some(2));
    world.end().await;
}

#[tokio::test]
async fn who_waits_in_vain_is_told_that_nothing_changed() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let path = format!("/users/{}", org.owner.user);
    let known = tag(&world.get(&path, &org.owner).send().await.unwrap());
    let began = Instant::now();
    let asked = world.get(&path, &org.owner).header("if-none-match", &known);
    let answer = asked.header("prefer", "wait=1").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(answer.headers()["preference-applied"], "wait=1");
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    world.end().await;
}

#[tokio::test]
async fn who_waits_for_work_hears_of_its_next_step() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let export = world.export(&org.owner).await;
    world.settled().await;
    let path = format!("/jobs/{export}");
    let queued = world.body(&path, &org.owner).await;
    assert_eq!(
        (&queued["state"], &queued["progress"]["phase"]),
        (&"queued".into(), &"waiting".into())
    );
    assert_eq!(queued["links"]["cancel"], format!("/api/v1/jobs/{export}/cancel"));
    assert_eq!(queued["warnings"], Value::Array(Vec::new()));
    let waiting = world.get(&path, &org.owner).header("prefer", "wait=25").send();
    let start = async {
        let started = export::Event::Started { attempt: 1, worker: "w".into() };
        world.append::<Export>((org.tenant, "workers"), export, [started]).await;
    };
    let (answer, ()) = tokio::join!(waiting, start);
    assert_eq!(json(answer.unwrap()).await["state"], "running");
    let total = |rows| Some(rows);
    for rows_done in [1, 25] {
        let progressed = export::Event::Progressed { rows_done, rows_total: total(100) };
        world.append::<Export>((org.tenant, "workers"), export, [progressed]).await;
    }
    world.settled().await;
    let running = world.body(&path, &org.owner).await;
    let progress = &running["progress"];
    assert_eq!((&progress["done"], &progress["phase"]), (&25.into(), &"writing".into()));
    assert!(progress["eta_s"].as_i64().is_some_and(|eta| eta >= 0), "{progress}");
    assert_eq!(world.body(&path, &org.owner).await["progress"], *progress, "until the next step");
    let patient = world.get(&path, &org.owner).header("prefer", "wait=1").send().await.unwrap();
    assert_eq!(patient.status(), StatusCode::OK, "the work is told of though nothing changed");
    assert_eq!(json(patient).await["state"], "running");
    world.end().await;
}

#[tokio::test]
async fn a_route_that_will_go_says_so() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let path = format!("/rbac/user-roles/{}", org.owner.user);
    let answer = world.get(&path, &org.owner).send().await.unwrap();
    let headers = answer.headers();
    assert_eq!(headers["deprecation"], "@1795219200");
    assert_eq!(headers["sunset"], "Mon, 22 Nov 2027 00:00:00 GMT");
    let links: Vec<_> = headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let successor = "</api/v1/rbac/users/{user_id}/roles>; rel=\"successor-version\"";
    assert!(links.contains(&successor), "{links:?}");
    assert!(headers["server-timing"].to_str().unwrap().contains("total;dur="));
    assert!(headers["ratelimit"].to_str().unwrap().starts_with("\"user\";r="));
    let metrics = world.client.get(format!("{}/metrics", world.settings.query_url));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let counted = "annals_deprecated_requests_total{operation=\"rbac_user_roles_alias\"}";
    assert!(metrics.contains(counted), "{metrics}");
    world.end().await;
}
