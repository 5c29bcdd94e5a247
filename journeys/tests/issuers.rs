//! Somebody signs in by a real OpenID Connect provider from a package, through discovery and the authorization code flow, and what they
//! have then is a session like any other.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use journeys::client::PASSWORD;
use journeys::{Client, House, Reply, Socket};
use platform::testkit;
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// Pinned, so that it says tomorrow what it says today.
const PROVIDER: &str = "oidc-provider-mock==0.3.4";
const CLIENT: &str = "annals";
const LIMIT: Duration = Duration::from_secs(5);
const BACK: &str = "http://127.0.0.1:1/back";

/// A provider that runs; with it end its keys.
struct Provider {
    child: Child,
    url: String,
}

impl Provider {
    /// Starts one that knows Ada; one that is started again where it was has a new key.
    async fn start(house: &House, port: u16) -> anyhow::Result<Self> {
        let ada = json!({"sub": "ada-7", "email": "ada@acme.test", "email_verified": true,
            "name": "Ada"});
        let folder = testkit::python(Path::new(env!("CARGO_TARGET_TMPDIR")), PROVIDER)?;
        let mut command = Command::new(folder.join("bin/oidc-provider-mock"));
        command.args(["--port", &port.to_string(), "--user-claims", &ada.to_string()]);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let provider = Self { child, url: format!("http://127.0.0.1:{port}") };
        house.answers(&format!("{}/.well-known/openid-configuration", provider.url)).await?;
        Ok(provider)
    }

    /// An ID token about Ada, as a client gets it: what the provider describes, a code, and the token for it.
    async fn id_token(&self) -> anyhow::Result<String> {
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let described = format!("{}/.well-known/openid-configuration", self.url);
        let described: Value = http.get(described).send().await?.json().await?;
        let endpoint = |name: &str| {
            described[name].as_str().context("an endpoint is missing").map(str::to_owned)
        };
        let query = [
            ("client_id", CLIENT),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid email profile"),
        ];
        let asked = Url::parse_with_params(&endpoint("authorization_endpoint")?, query)?;
        let form = |text: String| ("content-type", "application/x-www-form-urlencoded", text);
        let (name, value, body) = form("sub=ada-7".into());
        let sent = http.post(asked).header(name, value).body(body).send().await?;
        let back = sent.headers().get("location").context("nobody was sent back")?.to_str()?;
        let back = Url::parse(back)?;
        let code =
            back.query_pairs().find(|(name, _)| name == "code").context("there is no code")?.1;
        let grant = format!("grant_type=authorization_code&code={code}&redirect_uri={BACK}");
        let (name, value, body) = form(grant);
        let sent = http.post(endpoint("token_endpoint")?).basic_auth(CLIENT, Some("secret"));
        let tokens: Value = sent.header(name, value).body(body).send().await?.json().await?;
        tokens["id_token"].as_str().context("there is no ID token").map(str::to_owned)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

async fn exchange(anybody: &Client, token: &str) -> anyhow::Result<Reply> {
    let body = json!({"organization": "acme", "token": token});
    anybody.with_token("").post("/auth/exchange", &body).await
}

/// The session of whoever a token is about.
async fn enter(anybody: &Client, token: &str) -> anyhow::Result<Client> {
    let entered = exchange(anybody, token).await?.ok()?;
    Ok(anybody.with_token(entered.body["access_token"].as_str().unwrap_or_default()))
}

/// Ada, whose address is confirmed because she has followed the link in a letter to it.
async fn ada(house: &House, owner: &Client) -> anyhow::Result<Client> {
    let ada = owner.newcomer("acme", "ada").await?;
    let body = json!({"email": "ada@acme.test", "current_password": PASSWORD});
    ada.post("/auth/email", &body).await?.ok()?;
    let token = house.mailed("ada@acme.test", "confirm-email").await?;
    owner.with_token("").post("/auth/email/confirm", &json!({ "token": token })).await?.ok()?;
    Ok(ada)
}

#[tokio::test]
async fn somebody_signs_in_by_a_real_provider_and_its_keys_change_meanwhile() -> anyhow::Result<()>
{
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let port = cli::engines::pick()?;
    let provider = Provider::start(&house, port).await?;
    let issuer = json!({"name": "Directory", "issuer": provider.url, "audiences": [CLIENT],
        "algorithms": ["RS256"], "mapping": "verified_email", "email_domains": ["acme.test"]});
    let issuer = owner.post("/issuers", &issuer).await?.ok()?;
    let by_password = ada(&house, &owner).await?;

    let token = provider.id_token().await?;
    let by_issuer = enter(&owner, &token).await?;
    let me = by_issuer.get("/me").await?.ok()?;
    assert_eq!(me.body["user_id"], by_password.user_id.as_str(), "{}", me.body);
    assert_eq!(exchange(&owner, &token).await?.status, 401, "a token is good once");
    let told = |letter: &str| letter.contains("Another way to sign in to acme").then_some(());
    house.letter("ada@acme.test", told).await?;
    let shown = owner.get_after(&format!("/issuers/{}", issuer.made()), &issuer).await?.ok()?;
    assert_eq!(shown.body["status"], "trusted", "{}", shown.body);

    drop(provider);
    assert_eq!(by_issuer.get("/me").await?.status, 200, "nobody asks the provider");
    let provider = Provider::start(&house, port).await?;
    let again = enter(&owner, &provider.id_token().await?).await?;
    assert_eq!(again.get("/me").await?.status, 200, "by its new key");

    let mut socket = Socket::open(&again).await?;
    let path = format!("/issuers/{}/suspend", issuer.made());
    owner.post(&path, &json!({"reason": "breached"})).await?.ok()?;
    let suspended = Instant::now();
    assert_eq!(socket.end().await?, Some(4401), "an open stream ends");
    for session in [&by_issuer, &again] {
        let refused = session.command(Method::POST, "/auth/logout", &json!({}), &[]).await?;
        assert_eq!(refused.status, 401, "no command from the next on");
        session.until_status("/me", 401, suspended, LIMIT).await?;
    }
    assert_eq!(exchange(&owner, &provider.id_token().await?).await?.status, 401);
    assert_eq!(by_password.get("/me").await?.status, 200, "by her password she is in");

    house.stop().await;
    Ok(())
}
