//! Where sign-ins come from: a place that is new is a fact once, whatever somebody signs in by, and nobody can read it off the log.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Method;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, PASSWORD, request, send};
use crate::oidc::{Key, Op};

const SEEN: &str = "identity.presence.place_first_seen";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

async fn post_from(
    api: &Api,
    (address, program): (&str, &str),
    path: &str,
    body: &Value,
) -> Answer {
    let mut request = request(Method::POST, path, "", body, &[("user-agent", program)]);
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    send(&api.router, request).await
}

async fn sign_in(api: &Api, login: &str, from: (&str, &str)) {
    let body = json!({"organization": "acme", "login": login, "password": PASSWORD});
    let entered = post_from(api, from, "/auth/login", &body).await;
    assert_eq!(entered.status, 200, "{}", entered.body);
}

/// How many places were known when each one was new.
async fn seen(api: &Api) -> Vec<i64> {
    let events = api.events().await;
    let seen = events.iter().filter(|(_, kind, _)| kind == SEEN);
    seen.map(|(_, _, payload)| payload["known"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_new_place_is_a_fact_once_and_says_neither_address_nor_program() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    assert_eq!(seen(&api).await, [] as [i64; 0], "nothing is known of where that was");
    let home = ("192.0.2.7:4711", FIREFOX);
    sign_in(&api, "owner", home).await;
    sign_in(&api, "owner", home).await;
    sign_in(&api, "owner", ("192.0.2.8:1234", &FIREFOX.replace("145", "146"))).await;
    assert_eq!(seen(&api).await, [0]);
    sign_in(&api, "owner", ("192.0.2.7:4711", "curl/8.5.0")).await;
    sign_in(&api, "owner", ("[2001:db8:1::1]:4711", FIREFOX)).await;
    sign_in(&api, "owner", ("[2001:db8:1:2::2]:4711", FIREFOX)).await;
    assert_eq!(seen(&api).await, [0, 1, 2]);
    api.newcomer("acme", &owner, "anna").await;
    sign_in(&api, "anna", home).await;
    assert_eq!(seen(&api).await, [0, 1, 2, 0], "the same place is another one for somebody else");

    let events = api.events().await;
    let digests: Vec<&str> =
        events.iter().filter_map(|(_, _, payload)| payload["place_sha256"].as_str()).collect();
    assert!(digests.iter().all(|digest| digest.len() == 64), "{digests:?}");
    let all = events.iter().map(|(_, _, payload)| payload.to_string()).collect::<String>();
    for clear in ["192.0.2", "2001:db8", "Firefox", "curl"] {
        assert!(!all.contains(clear), "{clear}");
    }
    let mut different = digests.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), digests.len());
    api.stop().await;
}

#[tokio::test]
async fn a_sign_in_by_an_issuer_comes_from_a_place_too() {
    let api = Api::start_with(|settings| settings.loopback_issuers = true).await;
    let owner = api.found("acme").await;
    let key = Key::ed25519("k1");
    let op = Op::start(&[&key]).await;
    let trust = json!({"name": "Login", "issuer": op.url, "audiences": ["annals"], "joins": true,
        "algorithms": [key.alg()], "mapping": "verified_email", "email_domains": ["acme.example"]});
    assert_eq!(api.post("/issuers", &owner, trust).await.status, 201);
    for program in [FIREFOX, FIREFOX, "curl/8.5.0"] {
        let token = key.says(&op.claims(&json!({})));
        let body = json!({"organization": "acme", "token": token});
        let entered = post_from(&api, ("192.0.2.7:1", program), "/auth/exchange", &body).await;
        assert_eq!(entered.status, 200, "{}", entered.body);
    }
    assert_eq!(seen(&api).await, [0, 1]);
    api.stop().await;
}
