//! Every token that is not as it should be.

use super::*;

/// What is bad about a token, and the token.
type Case = (&'static str, String);

/// Tokens that are bad before anybody is asked for a key.
fn bad_heads(place: &Place, stranger: &Key) -> Vec<Case> {
    let (key, claims) = (&place.key, place.op.claims(&json!({})));
    let head = |other: Value| {
        let mut head = json!({"alg": key.alg(), "kid": key.kid});
        for (name, value) in other.as_object().unwrap() {
            head[name] = value.clone();
        }
        key.token(&head, &claims)
    };
    let unsigned = |alg: &str| {
        let head = text(json!({"alg": alg, "kid": key.kid}).to_string());
        format!("{head}.{}.", text(claims.to_string()))
    };
    let mac = |alg: &str, secret: &[u8]| {
        let signed = unsigned(alg).trim_end_matches('.').to_owned();
        format!("{signed}.{}", text(hmac(secret, signed.as_bytes())))
    };
    let good = key.says(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let nested = key.token(&json!({"alg": key.alg(), "kid": key.kid, "cty": "JWT"}), &json!(good));
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg none with the good signature", format!("{}{signature}", unsigned("none"))),
        ("no signature", format!("{signed}.")),
        ("HS256 with the public key", mac("HS256", &key.public())),
        ("HS256 with the public key as JWK", mac("HS256", key.jwk().to_string().as_bytes())),
        ("HS256 with nothing", mac("HS256", b"")),
        ("another algorithm than is pinned", Key::p256(&key.kid).says(&claims)),
        ("RS256, not pinned", Key::rsa(&key.kid).says(&claims)),
        ("alg ES256 over the pinned key", head(json!({"alg": "ES256"}))),
        ("alg missing", head(json!({"alg": null}))),
        ("a key of its own", head(json!({"jwk": stranger.jwk()}))),
        ("a key of its own, and its name", {
            stranger.token(&json!({"alg": "EdDSA", "kid": "s", "jwk": stranger.jwk()}), &claims)
        }),
        ("an address of keys", head(json!({"jku": "https://evil.example/keys"}))),
        ("an address of certificates", head(json!({"x5u": "https://evil.example/cert"}))),
        ("a certificate", head(json!({"x5c": ["MIIB"]}))),
        ("a critical extension", head(json!({"crit": ["exp"], "exp": 1}))),
        ("an unencoded payload", head(json!({"b64": false, "crit": ["b64"]}))),
        ("compressed", head(json!({"zip": "DEF"}))),
        ("nested", nested),
        ("another type", head(json!({"typ": "logout+jwt"}))),
        ("signed by a stranger", stranger.token(&json!({"alg": "EdDSA", "kid": key.kid}), &claims)),
        ("a key that the issuer does not have", stranger.says(&claims)),
        ("a path as key", head(json!({"kid": "../../dev/null"}))),
        ("padded", format!("{good}=")),
        ("with a fourth part", format!("{good}.x")),
        ("in five parts", "a.b.c.d.e".into()),
        ("with a space", format!(" {good}")),
        ("too long", key.says(&place.op.claims(&json!({"x": "x".repeat(9_000)})))),
        ("empty", String::new()),
        ("another payload under the signature", {
            let head = signed.split('.').next().unwrap();
            let claims = place.op.claims(&json!({"sub": "owner"}));
            format!("{head}.{}.{signature}", text(claims.to_string()))
        }),
    ]
}

/// Tokens that the issuer has signed and that say what does not count.
fn bad_claims(place: &Place) -> Vec<Case> {
    let now = clock::now().as_second();
    let says = |claims: Value| place.key.says(&place.op.claims(&claims));
    vec![
        ("for somebody else", says(json!({"aud": "other"}))),
        ("for nobody", says(json!({"aud": []}))),
        ("without audience", says(json!({"aud": null}))),
        ("for us and others, asked for by nobody", says(json!({"aud": ["annals", "other"]}))),
        ("for us, asked for by others", says(json!({"aud": ["annals", "b"], "azp": "b"}))),
        ("expired", says(json!({"exp": now - 31}))),
        ("without end", says(json!({"exp": null}))),
        ("an end in words", says(json!({"exp": "never"}))),
        ("not yet", says(json!({"nbf": now + 60}))),
        ("from the future", says(json!({"iat": now + 60}))),
        ("issued long ago", says(json!({"iat": now - 700}))),
        ("without a time of issue", says(json!({"iat": null}))),
        ("about nobody", says(json!({"sub": null}))),
        ("about nothing", says(json!({"sub": ""}))),
        ("about a number", says(json!({"sub": 7}))),
        ("about a stranger", says(json!({"sub": "x", "email": "x@acme.example"}))),
        ("an address that is not verified", says(json!({"sub": "x", "email_verified": false}))),
        ("verified as a text", says(json!({"sub": "x", "email_verified": "true"}))),
        ("not verified, as a text", says(json!({"sub": "x", "email_verified": "false"}))),
        ("verified as a number", says(json!({"sub": "x", "email_verified": 1}))),
        ("of another domain", says(json!({"sub": "x", "email": "ada@evil.example"}))),
        ("of two domains", says(json!({"sub": "x", "email": "a@evil.example@acme.example"}))),
        ("with a slash behind the issuer", says(json!({"iss": format!("{}/", place.op.url)}))),
        ("the issuer in capitals", says(json!({"iss": place.op.url.to_uppercase()}))),
        ("another issuer", says(json!({"iss": "https://evil.example"}))),
        ("without issuer", says(json!({"iss": null}))),
        ("claims that are none", place.key.says(&json!(["annals"]))),
    ]
}

#[tokio::test]
async fn every_bad_token_of_an_issuer_is_refused_alike_and_a_good_one_passes() {
    let place = Place::start().await;
    let api = &place.api;
    let stranger = Key::ed25519("s");
    let mut bad = bad_heads(&place, &stranger);
    bad.extend(bad_claims(&place));

    // Another organisation with an issuer of its own.
    let others = api.found("other").await;
    let their_key = Key::ed25519("k1");
    let their_op = Op::start(&[&their_key]).await;
    trust(api, &others, &their_op, &their_key, &json!({})).await;
    bad.push(("of another organisation's issuer", their_key.says(&their_op.claims(&json!({})))));
    bad.push(("the name of another issuer's key", their_key.says(&place.op.claims(&json!({})))));
    let suspended_op = Op::start(&[&stranger]).await;
    let id = trust(api, &place.owner, &suspended_op, &stranger, &json!({})).await;
    let suspended =
        api.post(&format!("/issuers/{id}/suspend"), &place.owner, json!({"reason": "x"})).await;
    assert_eq!(suspended.status, 200);
    bad.push(("of a suspended issuer", stranger.says(&suspended_op.claims(&json!({})))));
    let login = api.login("acme", "ada").await;
    bad.push(("an access token of ours", access(&login).to_owned()));
    bad.push(("a refresh token of ours", login.body["refresh_token"].as_str().unwrap().into()));
    let spent = place.key.says(&place.op.claims(&json!({})));
    assert_eq!(place.exchange(&spent).await.status, 200);
    let (signed, signature) = spent.rsplit_once('.').unwrap();
    bad.push(("spent, written otherwise", format!("{signed}.{}", signature.trim_end_matches('A'))));
    bad.push(("spent", spent));

    let names: std::collections::HashSet<_> = bad.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), bad.len(), "two cases have one name");
    assert!(bad.len() >= LEAST, "{} cases", bad.len());
    let mut detail = None;
    for (name, token) in &bad {
        let answer = place.exchange(token).await;
        assert_eq!(code(&answer), NOT_ACCEPTED, "{name}: {}", answer.body);
        assert_eq!(answer.body["detail"], *detail.get_or_insert(answer.body["detail"].clone()));
        assert!(!answer.headers.contains_key("etag"), "{name}");
    }
    let good = place.key.says(&place.op.claims(&json!({})));
    for organization in ["other", "nobody", "", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(code(&exchange(api, organization, &good).await), NOT_ACCEPTED, "{organization}");
    }
    assert_eq!(place.exchange(&good).await.status, 200, "after all that");
    // What the issuer has signed is kept with its reason; what nobody has signed is not.
    let reasons = place.reasons().await;
    assert!(reasons.contains(&"EXCHANGE_EXPIRED".to_owned()), "{reasons:?}");
    assert!(reasons.iter().all(|it| !it.contains("SIGNATURE") && !it.contains("ALGORITHM")));
    assert!(reasons.len() < bad.len() / 2, "{reasons:?}");
    place.api.stop().await;
}
