//! Signing in by the tokens of issuers that an organisation trusts: what is exchanged, what is refused, and what ends it again.

mod bad_tokens;

use axum::http::Method;
use events::{TenantId, UserId};
use platform::bearer::EMAIL_CHANGE;
use platform::clock;
use platform::secrets::{MasterKey, hmac};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Answer, Api, PASSWORD, code};
use crate::oidc::{Key, Op, text};

const LEAST: usize = 40;
const NOT_ACCEPTED: (u16, &str) = (401, "EXCHANGE_REFUSED");

/// An organisation that trusts an issuer, and Ada in it, whose address is confirmed.
struct Place {
    api: Api,
    owner: String,
    op: Op,
    key: Key,
    issuer_id: String,
    ada: String,
    ada_token: String,
}

impl Place {
    async fn start() -> Self {
        Self::with(Key::ed25519("k1"), &json!({})).await
    }

    /// With this key, and other terms.
    async fn with(key: Key, terms: &Value) -> Self {
        let api = Api::start_with(|settings| {
            settings.loopback_issuers = true;
            settings.limit_login_per_minute = 0;
            settings.rbac_default_role = "STAFF".into();
        })
        .await;
        let owner = api.found("acme").await;
        let role = json!({"name": "Staff", "code": "STAFF", "level": 10, "permissions": []});
        assert_eq!(api.post("/rbac/roles", &owner, role).await.status, 201);
        let op = Op::start(&[&key]).await;
        let issuer_id = trust(&api, &owner, &op, &key, terms).await;
        let (ada, ada_token) = api.newcomer("acme", &owner, "ada").await;
        let place = Self { api, owner, op, key, issuer_id, ada, ada_token };
        place.confirm("ada@acme.example").await;
        place
    }

    /// Has Ada's address confirmed by the token that is sent there.
    async fn confirm(&self, email: &str) {
        let body = json!({"email": email, "current_password": PASSWORD});
        assert_eq!(self.api.post("/auth/email", &self.ada_token, body).await.status, 200);
        let tenant = self.api.login("acme", "ada").await.body["tenant_id"].clone();
        let id = |text: &str| text.parse::<Uuid>().unwrap();
        let master = MasterKey::parse(&self.api.settings.master_key).unwrap();
        let tenant = TenantId(id(tenant.as_str().unwrap()));
        let token = EMAIL_CHANGE.make(&master, tenant, UserId(id(&self.ada)).0, 1);
        let confirmed = self.api.post("/auth/email/confirm", "", json!({ "token": token })).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    }

    async fn exchange(&self, token: &str) -> Answer {
        exchange(&self.api, "acme", token).await
    }

    /// What a token with these claims is exchanged for.
    async fn says(&self, claims: &Value) -> Answer {
        self.exchange(&self.key.says(&self.op.claims(claims))).await
    }

    /// Signs Ada in by her issuer.
    async fn enter(&self) -> Answer {
        let entered = self.says(&json!({})).await;
        assert_eq!(entered.status, 200, "{}", entered.body);
        entered
    }

    fn issuer(&self, verb: &str) -> String {
        format!("/issuers/{}{verb}", self.issuer_id)
    }

    /// The codes of what was refused so far, as the trail has them.
    async fn reasons(&self) -> Vec<String> {
        let events = self.api.events().await;
        let refused = events.iter().filter(|(_, kind, payload)| {
            kind == "audit.security_log.command_refused" && payload["status"] == 401
        });
        refused.map(|(_, _, payload)| payload["code"].as_str().unwrap().to_owned()).collect()
    }
}

async fn trust(api: &Api, owner: &str, op: &Op, key: &Key, terms: &Value) -> String {
    let mut body = json!({"name": "Login", "issuer": op.url, "audiences": ["annals"],
        "algorithms": [key.alg()], "mapping": "verified_email", "email_domains": ["acme.example"]});
    for (name, value) in terms.as_object().unwrap() {
        body[name] = value.clone();
    }
    let trusted = api.post("/issuers", owner, body).await;
    assert_eq!(trusted.status, 201, "{}", trusted.body);
    trusted.body["aggregate"]["id"].as_str().unwrap().to_owned()
}

async fn exchange(api: &Api, organization: &str, token: &str) -> Answer {
    let body = json!({"organization": organization, "token": token});
    api.post("/auth/exchange", "", body).await
}

fn access(answer: &Answer) -> &str {
    answer.body["access_token"].as_str().unwrap_or_default()
}

/// Whether an access token opens anything.
async fn opens(api: &Api, token: &str) -> bool {
    let renamed = api.post("/auth/logout?validate_only=true", token, json!({})).await;
    renamed.status == 200
}

async fn refreshed(api: &Api, answer: &Answer) -> Answer {
    api.post("/auth/refresh", "", json!({"refresh_token": answer.body["refresh_token"]})).await
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_session_whatever_pinned_algorithm_it_is_signed_with() {
    for (key, alg) in [
        (Key::rsa("r"), "RS256"),
        (Key::rsa("r"), "PS256"),
        (Key::rsa("r"), "RS512"),
        (Key::p256("p"), "ES256"),
        (Key::ed25519("e"), "EdDSA"),
    ] {
        let place = Place::with(key, &json!({"algorithms": [alg]})).await;
        let head = json!({"alg": alg, "kid": place.key.kid});
        let token = place.key.token(&head, &place.op.claims(&json!({})));
        let entered = place.exchange(&token).await;
        assert_eq!(entered.status, 200, "{alg}: {}", entered.body);
        assert_eq!(entered.body["user_id"], place.ada, "{alg}");
        assert!(opens(&place.api, access(&entered)).await, "{alg}");
        let next = refreshed(&place.api, &entered).await;
        assert_eq!(next.status, 200, "{}", next.body);
        assert!(opens(&place.api, access(&next)).await, "{alg}");
        place.api.stop().await;
    }
}

#[tokio::test]
async fn a_session_says_how_it_began_and_neither_subject_nor_token_is_in_the_log() {
    let place = Place::start().await;
    let token = place.key.says(&place.op.claims(&json!({})));
    let tenant = place.api.login("acme", "ada").await.body["tenant_id"].clone();
    let entered = exchange(&place.api, tenant.as_str().unwrap(), &token).await;
    assert_eq!(entered.status, 200, "by the organisation's id: {}", entered.body);
    let events = place.api.events().await;
    let (_, _, started) = events.iter().rfind(|it| it.1 == "identity.session.started").unwrap();
    assert_eq!(started["amr"], json!(["oidc"]));
    assert_eq!(started["issuer_id"], place.issuer_id);
    let log = format!("{events:?}");
    assert!(!log.contains("ada-7") && !log.contains(&token) && !log.contains("Lovelace"));
    place.api.stop().await;
}

#[tokio::test]
async fn once_linked_it_is_the_subject_that_counts_and_not_the_address() {
    let place = Place::start().await;
    place.enter().await;
    assert_eq!(place.api.count("identity.user.identity_linked").await, 1);
    let other = json!({"email": "lovelace@acme.example"});
    for claims in [json!({"email": null}), json!({"email_verified": false}), other] {
        let entered = place.says(&claims).await;
        assert_eq!((entered.status.as_u16(), &entered.body["user_id"]), (200, &json!(place.ada)));
    }
    assert_eq!(place.api.count("identity.user.identity_linked").await, 1);
    // Somebody else got her address at the issuer.
    let heir = place.says(&json!({"sub": "heir-9"})).await;
    assert_eq!(code(&heir), NOT_ACCEPTED);
    assert_eq!(place.reasons().await, ["USER_IDENTITY_DIFFERS"]);
    place.api.stop().await;
}

#[tokio::test]
async fn an_address_that_the_user_has_not_confirmed_leads_to_nobody() {
    let place = Place::start().await;
    let register = json!({"handle": "ben", "email": "ben@acme.example"});
    assert_eq!(place.api.post("/users", &place.owner, register).await.status, 201);
    let bens = json!({"sub": "ben-8", "email": "ben@acme.example"});
    assert_eq!(code(&place.says(&bens).await), NOT_ACCEPTED);
    let moved = json!({"email": "eve@acme.example"});
    let path = format!("/users/{}", place.ada);
    assert_eq!(place.api.call(Method::PATCH, &path, &place.owner, moved).await.status, 200);
    let eves = json!({"sub": "eve-9", "email": "eve@acme.example"});
    assert_eq!(code(&place.says(&eves).await), NOT_ACCEPTED, "it was confirmed for another one");
    assert_eq!(place.reasons().await, ["USER_EMAIL_UNCONFIRMED"; 2]);
    place.api.stop().await;
}

#[tokio::test]
async fn strangers_join_only_where_the_issuer_may_bring_them_and_from_its_domains() {
    let place = Place::start().await;
    let cleo = json!({"sub": "cleo-1", "email": "Cleo@acme.example", "name": "Cleo"});
    assert_eq!(code(&place.says(&cleo).await), NOT_ACCEPTED);
    let joins = json!({"joins": true});
    let path = place.issuer("");
    assert_eq!(place.api.call(Method::PATCH, &path, &place.owner, joins).await.status, 200);
    for claims in [
        json!({"sub": "cleo-1", "email": "cleo@evil.example"}),
        json!({"sub": "cleo-1", "email": "cleo@acme.example", "email_verified": "true"}),
        json!({"sub": "cleo-1", "email": null}),
    ] {
        assert_eq!(code(&place.says(&claims).await), NOT_ACCEPTED, "{claims}");
    }
    let assigned = place.api.count("rbac.user_access.role_assigned").await;
    let joined = place.says(&cleo).await;
    assert_eq!(joined.status, 200, "{}", joined.body);
    assert!(opens(&place.api, access(&joined)).await);
    let now_assigned = place.api.count("rbac.user_access.role_assigned").await;
    assert_eq!(now_assigned, assigned + 1, "the default role");
    let again = place.says(&cleo).await;
    assert_eq!(again.body["user_id"], joined.body["user_id"]);
    // A name to sign in with that is somebody else's is not taken over, nor is there anybody then.
    let taken = json!({"handle": "dora@acme.example"});
    assert_eq!(place.api.post("/users", &place.owner, taken).await.status, 201);
    let dora = json!({"sub": "dora-2", "email": "dora@acme.example"});
    assert_eq!(code(&place.says(&dora).await), NOT_ACCEPTED);
    place.api.stop().await;
}

#[tokio::test]
async fn two_exchanges_at_once_make_one_stranger_one_user() {
    let place = Place::with(Key::ed25519("k1"), &json!({"joins": true})).await;
    let cleo = json!({"sub": "cleo-1", "email": "cleo@acme.example"});
    let entered = futures::future::join_all((0..6).map(|_| place.says(&cleo))).await;
    let refused: Vec<_> = entered.iter().filter(|it| it.status != 200).map(|it| &it.body).collect();
    assert!(refused.is_empty(), "{refused:?} {:?}", place.reasons().await);
    let users: std::collections::HashSet<_> =
        entered.iter().map(|answer| answer.body["user_id"].to_string()).collect();
    assert_eq!(users.len(), 1, "{users:?}");
    place.api.stop().await;
}

#[tokio::test]
async fn a_token_is_good_once_also_at_the_same_moment_and_at_another_process() {
    let place = Place::start().await;
    let token = place.key.says(&place.op.claims(&json!({})));
    let beside = place.api.beside().await;
    let body = json!({"organization": "acme", "token": token});
    let request = || crate::kit::request(Method::POST, "/auth/exchange", "", &body, &[]);
    let asked = (0..8).map(|nth| {
        let router = if nth % 2 == 0 { &place.api.router } else { &beside };
        crate::kit::send(router, request())
    });
    let answers = futures::future::join_all(asked).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1);
    assert!(answers.iter().filter(|it| it.status != 200).all(|it| code(it) == NOT_ACCEPTED));
    assert_eq!(place.reasons().await, ["SESSION_TOKEN_SPENT"; 7]);
    place.api.stop().await;
}

#[tokio::test]
async fn whoever_may_not_sign_in_may_not_by_an_issuer_either() {
    let place = Place::start().await;
    let entered = place.enter().await;
    let (api, owner) = (&place.api, place.owner.as_str());
    for _ in 0..10 {
        let body = json!({"organization": "acme", "login": "ada", "password": "wrong password"});
        api.post("/auth/login", "", body).await;
    }
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED, "locked");
    let path = |verb: &str| format!("/users/{}/{verb}", place.ada);
    assert_eq!(api.post(&path("unlock"), owner, json!({})).await.status, 200);
    let gone = api.post(&path("deactivate"), owner, json!({"reason": "left"})).await;
    assert_eq!(gone.status, 200);
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED, "deactivated");
    assert!(!opens(api, access(&entered)).await);
    let erased = api.post(&path("erase"), owner, json!({"handle": "ada"})).await;
    assert_eq!(erased.status, 200, "{}", erased.body);
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED, "erased");
    assert_eq!(place.reasons().await, ["USER_LOCKED", "USER_DEACTIVATED", "EXCHANGE_STRANGER"]);
    let tenant = entered.body["tenant_id"].as_str().unwrap();
    let path = format!("/organizations/{tenant}/suspend");
    let token = api.settings.bootstrap_token.clone();
    assert_eq!(api.post(&path, &token, json!({"reason": "unpaid"})).await.status, 200);
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED, "the organisation is suspended");
    place.api.stop().await;
}

#[tokio::test]
async fn suspending_an_issuer_ends_what_rests_on_it_at_once_and_for_good() {
    let place = Place::start().await;
    let (api, owner) = (&place.api, place.owner.as_str());
    let entered = place.enter().await;
    let beside = api.login("acme", "ada").await;
    assert!(opens(api, access(&entered)).await);
    let reason = json!({"reason": "breached"});
    assert_eq!(api.post(&place.issuer("/suspend"), owner, reason).await.status, 200);
    assert!(!opens(api, access(&entered)).await);
    assert_eq!(code(&refreshed(api, &entered).await).0, 401);
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED);
    assert!(opens(api, access(&beside)).await, "by her password she is in");
    assert_eq!(api.post(&place.issuer("/reactivate"), owner, json!({})).await.status, 200);
    assert!(!opens(api, access(&entered)).await, "what ended stays so");
    assert_eq!(code(&refreshed(api, &entered).await).0, 401);
    let again = place.enter().await;
    assert!(opens(api, access(&again)).await);
    let gone = api.call(Method::DELETE, &place.issuer(""), owner, json!({})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert!(!opens(api, access(&again)).await);
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED);
    // Trusted anew it is another issuer: who was linked before is not.
    trust(api, owner, &place.op, &place.key, &json!({"mapping": "subject"})).await;
    assert_eq!(code(&place.says(&json!({})).await), NOT_ACCEPTED);
    place.api.stop().await;
}

#[tokio::test]
async fn another_process_takes_no_session_of_a_suspended_issuer_either() {
    let place = Place::start().await;
    let entered = place.enter().await;
    let beside = place.api.beside().await;
    let signs_out = |token: &str| {
        let path = "/auth/logout?validate_only=true";
        crate::kit::request(Method::POST, path, token, &json!({}), &[])
    };
    let here = crate::kit::send(&beside, signs_out(access(&entered))).await;
    assert_eq!(here.status, 200, "{}", here.body);
    let reason = json!({"reason": "breached"});
    let suspended = place.api.post(&place.issuer("/suspend"), &place.owner, reason).await;
    assert_eq!(suspended.status, 200);
    let logout =
        crate::kit::request(Method::POST, "/auth/logout", access(&entered), &json!({}), &[]);
    assert_eq!(crate::kit::send(&beside, logout).await.status, 401, "the append says so");
    place.api.stop().await;
}

#[tokio::test]
async fn an_issuer_changes_its_keys_and_may_be_away_for_a_while() {
    let place = Place::start().await;
    place.enter().await;
    place.op.is_away(true);
    place.enter().await; // its keys are known
    place.op.is_away(false);
    let next = Key::ed25519("k2");
    place.op.has(&[&next]);
    let token = next.says(&place.op.claims(&json!({})));
    assert_eq!(place.exchange(&token).await.status, 200, "the next key is found");
    let old = place.says(&json!({})).await;
    assert_eq!(code(&old), NOT_ACCEPTED, "and the one before is gone");
    let other = Op::start(&[&next]).await;
    let other_id = trust(&place.api, &place.owner, &other, &next, &json!({})).await;
    other.is_away(true);
    let token = next.says(&other.claims(&json!({})));
    let away = place.exchange(&token).await;
    assert_eq!((away.status.as_u16(), &away.body["retryable"]), (503, &json!(true)), "{other_id}");
    place.api.stop().await;
}

#[tokio::test]
async fn an_identity_is_linked_by_its_token_and_the_password_or_by_who_could_take_over_the_account()
{
    let place = Place::with(Key::ed25519("k1"), &json!({"mapping": "subject"})).await;
    let (api, owner) = (&place.api, place.owner.as_str());
    let token = || place.key.says(&place.op.claims(&json!({})));
    assert_eq!(code(&place.exchange(&token()).await), NOT_ACCEPTED, "an address is not enough");
    let link = |token: String, password: &str| {
        let body = json!({"token": token, "current_password": password});
        api.post("/auth/identities", &place.ada_token, body)
    };
    assert_eq!(code(&link(token(), "wrong password").await), (422, "PASSWORD_WRONG"));
    assert_eq!(code(&link("a.b.c".into(), PASSWORD).await), NOT_ACCEPTED);
    let linked = link(token(), PASSWORD).await;
    assert_eq!(linked.status, 200, "{}", linked.body);
    let used = token();
    let entered = place.exchange(&used).await;
    assert_eq!(entered.body["user_id"], place.ada);
    assert_eq!(code(&link(used, PASSWORD).await), NOT_ACCEPTED, "who found it shows nothing");

    let (ben, ben_token) = api.newcomer("acme", owner, "ben").await;
    let path = format!("/users/{ben}/identities");
    let linked_before = json!({"issuer_id": place.issuer_id, "subject": "ada-7"});
    let refused = api.post(&path, owner, linked_before).await;
    assert_eq!(code(&refused), (409, "USER_IDENTITY_TAKEN"));
    let bens = json!({"issuer_id": place.issuer_id, "subject": "ben-8"});
    assert_eq!(api.post(&path, &ben_token, bens.clone()).await.status, 403);
    assert_eq!(api.post(&path, owner, bens).await.status, 200);
    let entered = place.says(&json!({"sub": "ben-8"})).await;
    assert_eq!(entered.body["user_id"], ben);

    let path = format!("/auth/identities/{}", place.issuer_id);
    let unlinked = api.call(Method::DELETE, &path, &ben_token, json!({})).await;
    assert_eq!(unlinked.status, 200, "{}", unlinked.body);
    assert!(!opens(api, access(&entered)).await, "what it led to has ended");
    assert!(opens(api, &ben_token).await, "not the session it was done in");
    assert_eq!(code(&place.says(&json!({"sub": "ben-8"})).await), NOT_ACCEPTED);
    place.api.stop().await;
}

#[tokio::test]
async fn nobody_becomes_the_owner_by_way_of_an_issuer() {
    let place = Place::start().await;
    let (api, owner) = (&place.api, place.owner.as_str());
    let (manager, token) = api.newcomer("acme", owner, "manager").await;
    let permissions = ["identity.issuers:manage", "identity.users:manage"];
    let role = json!({"name": "Managers", "level": 100, "permissions": permissions});
    let made = api.post("/rbac/roles", owner, role).await;
    let role_id = made.headers["location"].to_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let assign = json!({"user_id": manager, "role_id": role_id});
    assert_eq!(api.post("/rbac/assign", owner, assign).await.status, 200);

    let own = json!({"name": "Mine", "issuer": "https://login.evil.example",
        "audiences": ["annals"], "algorithms": ["ES256"], "mapping": "verified_email"});
    assert_eq!(code(&api.post("/issuers", &token, own).await), (403, "ISSUER_OUT_OF_REACH"));
    let keys = json!({"jwks_uri": "https://keys.evil.example/"});
    let moved = api.call(Method::PATCH, &place.issuer(""), &token, keys).await;
    assert_eq!(code(&moved), (403, "ISSUER_OUT_OF_REACH"));
    let owners = api.login("acme", "owner").await.body["user_id"].as_str().unwrap().to_owned();
    let mine = json!({"issuer_id": place.issuer_id, "subject": "manager-at-issuer"});
    let linked = api.post(&format!("/users/{owners}/identities"), &token, mine).await;
    assert_eq!(code(&linked), (403, "USER_OUT_OF_REACH"));
    let reason = json!({"reason": "breached"});
    assert_eq!(api.post(&place.issuer("/suspend"), &token, reason).await.status, 200);
    let back = api.post(&place.issuer("/reactivate"), &token, json!({})).await;
    assert_eq!(code(&back), (403, "ISSUER_OUT_OF_REACH"));
    place.api.stop().await;
}

#[tokio::test]
async fn an_issuer_elsewhere_is_the_only_sort_there_is_outside_development() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    for issuer in
        ["http://127.0.0.1:9400", "https://localhost", "https://10.0.0.1", "http://a.example"]
    {
        let body = json!({"name": "Login", "issuer": issuer, "audiences": ["annals"],
            "algorithms": ["ES256"], "mapping": "subject"});
        let refused = api.post("/issuers", &owner, body).await;
        assert_eq!(code(&refused), (422, "ISSUER_URL_INVALID"), "{issuer}");
    }
    for algorithm in ["none", "HS256", "ES256K"] {
        let body = json!({"name": "Login", "issuer": "https://a.example", "audiences": ["annals"],
            "algorithms": [algorithm], "mapping": "subject"});
        assert_eq!(api.post("/issuers", &owner, body).await.status, 422, "{algorithm}");
    }
    api.stop().await;
}
