//! The rules of an issuer, by example.

use serde_json::{Value, json};

use super::*;
use crate::aggregate::{Claim, Decider, Event as _};
use crate::testing::{at, context, frozen};

const URL_OF_ACME: &str = "https://login.acme.example/tenant";

/// A past with a caller who may do everything.
fn given<D: Decider<Facts = Facts>>(
    events: impl IntoIterator<Item = D::Event>,
) -> crate::testing::Given<D> {
    let facts = Facts { loopback: false, everything: true };
    crate::testing::given(events).facts(facts)
}

fn terms() -> Terms {
    Terms {
        audiences: vec!["annals".into()],
        algorithms: vec![Algorithm::RS256, Algorithm::EdDsa],
        jwks_uri: None,
        mapping: Mapping::VerifiedEmail,
        email_domains: vec!["acme.example".into()],
        joins: false,
    }
}

pub(in crate::identity) fn trusted() -> Event {
    Event::Trusted { name: "Acme".into(), issuer: URL_OF_ACME.into(), terms: terms() }
}

fn suspended() -> Event {
    Event::Suspended { reason: "breached".into() }
}

fn distrusted() -> Event {
    Event::Distrusted { issuer: URL_OF_ACME.into() }
}

fn trust() -> Trust {
    let Terms { audiences, algorithms, jwks_uri, mapping, email_domains, joins } = terms();
    let (name, issuer) = ("Acme".into(), URL_OF_ACME.into());
    Trust { name, issuer, audiences, algorithms, jwks_uri, mapping, email_domains, joins }
}

fn change(change: Change) -> Command {
    Command::Change(change)
}

#[test]
fn samples_are_frozen() {
    let jwks_uri = Some("https://keys.acme.example/jwks".into());
    frozen::<Issuer>([
        trusted(),
        Event::Renamed { name: "Acme AG".into() },
        Event::TermsReplaced { terms: Terms { jwks_uri, ..terms() } },
        suspended(),
        Event::Reactivated,
        distrusted(),
    ]);
}

#[test]
fn an_issuer_is_trusted_once_by_its_address() {
    given::<Issuer>([]).when(Command::Trust(trust())).then([trusted()]);
    given::<Issuer>([trusted()]).when(Command::Trust(trust())).refused(Rejection::Exists);
    assert_eq!(trusted().claims("i"), [Claim::take(URL, URL_OF_ACME)]);
    assert_eq!(distrusted().claims("i"), [Claim::release(URL, URL_OF_ACME)]);
}

#[test]
fn only_https_addresses_of_named_hosts_are_issuers() {
    let with = |url: &str, loopback: bool| {
        let trust = Trust { issuer: url.into(), ..trust() };
        given::<Issuer>([])
            .facts(Facts { loopback, everything: true })
            .when(Command::Trust(trust))
            .result()
    };
    for good in ["https://a.example", "https://a.example:8443/x/", "https://accounts.google.com"] {
        assert!(with(good, false).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a.example",
        "http://a.example",
        "ftp://a.example",
        "https://",
        "https://localhost",
        "https://127.0.0.1",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://user@a.example",
        "https://a.example@b.example",
        "https://a.example:0",
        "https://a.example:x",
        "https://a.example?x",
        "https://a.example#x",
        "https://a.example/\u{e9}",
        "https://a.example/ ",
        "https://a_b.example",
        "https://-a.example",
        "HTTPS://a.example",
        "https:\\\\a.example",
    ] {
        assert_eq!(with(bad, false), Err(Rejection::UrlInvalid), "{bad}");
    }
    for here in ["http://127.0.0.1:9400", "https://localhost", "http://[::1]:9400/x"] {
        assert!(with(here, true).is_ok(), "{here}");
        assert_eq!(with(here, false), Err(Rejection::UrlInvalid), "{here}");
    }
    assert_eq!(with("http://a.example", true), Err(Rejection::UrlInvalid));
    assert_eq!(with("http://10.0.0.1", true), Err(Rejection::UrlInvalid));
}

#[test]
fn terms_name_audiences_algorithms_and_domains_or_are_refused() {
    let refused = |change: fn(&mut Trust), rejection| {
        let mut bad = trust();
        change(&mut bad);
        given::<Issuer>([]).when(Command::Trust(bad)).refused(rejection);
    };
    refused(|it| it.audiences.clear(), Rejection::AudiencesInvalid);
    refused(|it| it.audiences.push("annals".into()), Rejection::AudiencesInvalid);
    refused(|it| it.audiences = vec!["two words".into()], Rejection::AudiencesInvalid);
    refused(|it| it.audiences = vec![String::new()], Rejection::AudiencesInvalid);
    refused(|it| it.algorithms.clear(), Rejection::AlgorithmsInvalid);
    refused(|it| it.algorithms = vec![Algorithm::ES256; 2], Rejection::AlgorithmsInvalid);
    refused(|it| it.jwks_uri = Some("http://a.example".into()), Rejection::JwksUriInvalid);
    refused(|it| it.jwks_uri = Some("https://10.1.1.1/k".into()), Rejection::JwksUriInvalid);
    refused(|it| it.email_domains = vec!["localhost".into()], Rejection::DomainsInvalid);
    refused(|it| it.email_domains = vec!["@a.example".into()], Rejection::DomainsInvalid);
    refused(|it| (it.joins, it.email_domains) = (true, vec![]), Rejection::JoinsAnybody);
    refused(|it| (it.joins, it.mapping) = (true, Mapping::Subject), Rejection::JoinsAnybody);
    let upper = Trust { email_domains: vec!["ACME.example".into()], ..trust() };
    given::<Issuer>([]).when(Command::Trust(upper)).then([trusted()]);
}

#[test]
fn secrets_that_both_sides_know_are_no_way_of_signing() {
    for name in ["none", "HS256", "HS512", "rs256", "RS1", "ES256K", ""] {
        assert!(serde_json::from_value::<Algorithm>(json!(name)).is_err(), "{name}");
    }
    assert_eq!(serde_json::to_value(Algorithm::EdDsa).unwrap(), "EdDSA");
}

#[test]
fn what_is_not_named_stays_as_it_is() {
    let renamed = Change { name: Some("Acme AG".into()), ..Change::default() };
    let event = Event::Renamed { name: "Acme AG".into() };
    given::<Issuer>([trusted()]).when(change(renamed)).then([event]);
    let es256 = vec![Algorithm::ES256];
    let signs = Change { algorithms: Some(es256.clone()), ..Change::default() };
    let event = Event::TermsReplaced { terms: Terms { algorithms: es256, ..terms() } };
    given::<Issuer>([trusted()]).when(change(signs)).then([event]);
    given::<Issuer>([trusted()]).when(change(Change::default())).then([]);
    let moved = |to: &str| Change { jwks_uri: Some(to.into()), ..Change::default() };
    let uri = Some("https://k.acme.example/".to_owned());
    let event = Event::TermsReplaced { terms: Terms { jwks_uri: uri, ..terms() } };
    given::<Issuer>([trusted()])
        .when(change(moved("https://k.acme.example/")))
        .then([event.clone()]);
    let back = Event::TermsReplaced { terms: terms() };
    given::<Issuer>([trusted(), event]).when(change(moved(""))).then([back]);
    let none = Change { algorithms: Some(vec![]), ..Change::default() };
    given::<Issuer>([trusted()]).when(change(none)).refused(Rejection::AlgorithmsInvalid);
}

#[test]
fn trust_ends_for_a_while_or_for_good() {
    let suspend = || Command::Suspend(Suspend { reason: "breached".into() });
    given::<Issuer>([trusted()]).when(suspend()).then([suspended()]);
    given::<Issuer>([trusted(), suspended()]).when(suspend()).then([]);
    let again = Command::Reactivate;
    given::<Issuer>([trusted(), suspended()]).when(again.clone()).then([Event::Reactivated]);
    given::<Issuer>([trusted()]).when(again.clone()).then([]);
    for past in [vec![trusted()], vec![trusted(), suspended()]] {
        given::<Issuer>(past).when(Command::Distrust).then([distrusted()]);
    }
    let gone = || given::<Issuer>([trusted(), distrusted()]);
    gone().when(Command::Distrust).then([]);
    gone().when(again).refused(Rejection::Distrusted);
    gone().when(suspend()).refused(Rejection::Distrusted);
    gone().when(change(Change::default())).refused(Rejection::Distrusted);
    gone().when(Command::Trust(trust())).refused(Rejection::Exists);
    for command in [suspend(), Command::Reactivate, Command::Distrust] {
        given::<Issuer>([]).when(command).refused(Rejection::Unknown);
    }
    let nameless = Command::Suspend(Suspend { reason: " ".into() });
    assert!(given::<Issuer>([trusted()]).when(nameless).result().is_err());
}

#[test]
fn sessions_that_rest_on_an_issuer_end_with_its_trust_for_good() {
    let mut issuer = Issuer::default();
    assert!(!issuer.keeps(0));
    issuer.evolve(&trusted());
    assert!(issuer.keeps(0));
    issuer.evolve(&suspended());
    assert!(!issuer.keeps(0) && !issuer.keeps(1));
    issuer.evolve(&Event::Reactivated);
    assert!(!issuer.keeps(0) && issuer.keeps(1));
    issuer.evolve(&distrusted());
    assert!(!issuer.keeps(1) && !issuer.keeps(2));
}

/// A good token's claims, changed.
fn claims(change: &Value) -> Claims {
    let mut claims = json!({
        "iss": URL_OF_ACME, "sub": "u-1", "aud": "annals",
        "iat": now(), "exp": now() + 300,
        "email": "ada@acme.example", "email_verified": true, "name": "Ada",
    });
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    serde_json::from_value(claims).unwrap()
}

fn now() -> i64 {
    context().now.as_second()
}

fn identify(change: &Value) -> Result<Identified, Unfit> {
    let mut issuer = Issuer::default();
    issuer.evolve(&trusted());
    issuer.identify(&claims(change), context().now)
}

#[test]
fn a_token_says_whom_it_is_about() {
    let ada = Identified {
        subject: "u-1".into(),
        email: Some("ada@acme.example".into()),
        name: Some("Ada".into()),
    };
    assert_eq!(identify(&json!({})), Ok(ada.clone()));
    assert_eq!(identify(&json!({"aud": ["annals"]})), Ok(ada.clone()));
    assert_eq!(identify(&json!({"aud": ["annals", "b"], "azp": "annals"})), Ok(ada.clone()));
    assert_eq!(identify(&json!({"nbf": now() + 30, "iat": now() + 30})), Ok(ada.clone()));
    assert_eq!(identify(&json!({"exp": now() - 29})), Ok(ada));
}

#[test]
fn a_token_that_does_not_fit_is_refused_for_what_is_wrong_with_it() {
    for (change, unfit) in [
        (json!({"iss": "https://login.acme.example/tenant/"}), Unfit::IssuerDiffers),
        (json!({"iss": "https://LOGIN.acme.example/tenant"}), Unfit::IssuerDiffers),
        (json!({"aud": "other"}), Unfit::AudienceDiffers),
        (json!({"aud": []}), Unfit::AudienceDiffers),
        (json!({"aud": "Annals"}), Unfit::AudienceDiffers),
        (json!({"aud": ["annals", "b"]}), Unfit::PartyDiffers),
        (json!({"aud": ["annals", "b"], "azp": "b"}), Unfit::PartyDiffers),
        (json!({"exp": now() - 30}), Unfit::Expired),
        (json!({"exp": i64::MIN}), Unfit::Expired),
        (json!({"iat": now() + 31}), Unfit::FromTheFuture),
        (json!({"iat": i64::MAX}), Unfit::FromTheFuture),
        (json!({"nbf": now() + 31}), Unfit::FromTheFuture),
        (json!({"iat": now() - 631}), Unfit::TooOld),
        (json!({"iat": i64::MIN}), Unfit::TooOld),
        (json!({"sub": ""}), Unfit::SubjectInvalid),
        (json!({"sub": "x".repeat(256)}), Unfit::SubjectInvalid),
    ] {
        assert_eq!(identify(&change), Err(unfit), "{change}");
    }
}

#[test]
fn an_address_counts_only_where_the_issuer_has_confirmed_it_and_speaks_for_it() {
    let email = |change: &Value| identify(change).unwrap().email;
    assert!(email(&json!({})).is_some());
    assert!(email(&json!({"email": "ada@ACME.example"})).is_some());
    for change in [
        json!({"email_verified": null}),
        json!({"email_verified": false}),
        json!({"email_verified": "true"}),
        json!({"email_verified": "false"}),
        json!({"email_verified": 1}),
        json!({"email": null}),
        json!({"email": "ada"}),
        json!({"email": "ada@evil.example"}),
        json!({"email": "ada@acme.example@evil.example"}),
        json!({"email": "ada@sub.acme.example"}),
    ] {
        assert_eq!(email(&change), None, "{change}");
    }
}

#[test]
fn an_issuer_signs_with_what_is_pinned_and_only_while_it_is_trusted() {
    let mut issuer = Issuer::default();
    assert_eq!(issuer.signs_with(Algorithm::RS256), Err(Unfit::IssuerSuspended));
    issuer.evolve(&trusted());
    assert_eq!(issuer.signs_with(Algorithm::RS256), Ok(()));
    assert_eq!(issuer.signs_with(Algorithm::PS256), Err(Unfit::AlgorithmNotPinned));
    issuer.evolve(&suspended());
    assert_eq!(issuer.signs_with(Algorithm::RS256), Err(Unfit::IssuerSuspended));
    let late = issuer.identify(&claims(&json!({})), at("2026-01-01T12:00:00Z"));
    assert_eq!(late, Err(Unfit::IssuerSuspended));
}

#[test]
fn only_who_may_do_everything_says_whose_word_counts_and_others_can_end_it() {
    let manager = |past: Vec<Event>| crate::testing::given::<Issuer>(past);
    manager(vec![]).when(Command::Trust(trust())).refused(Rejection::OutOfReach);
    let trusted_one = || manager(vec![trusted()]);
    trusted_one().when(change(Change::default())).refused(Rejection::OutOfReach);
    let stopped = || manager(vec![trusted(), suspended()]);
    stopped().when(Command::Reactivate).refused(Rejection::OutOfReach);
    let suspend = Command::Suspend(Suspend { reason: "breached".into() });
    trusted_one().when(suspend).then([suspended()]);
    stopped().when(Command::Distrust).then([distrusted()]);
}
