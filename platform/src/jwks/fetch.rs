//! Fetching a key set: over TLS, from public addresses, without redirects, a little and soon or not at all.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use serde::Deserialize;

use super::Source;
use super::keys::Keys;
use crate::reachable::Guarded;

const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
pub(super) const ANSWER_MOST_BYTES: usize = 64 * 1024;
const FRESH_LEAST: Duration = Duration::from_mins(5);
const FRESH_MOST: Duration = Duration::from_hours(24);

pub(super) struct Fetcher {
    client: Client,
    guarded: Guarded,
}

/// What we need of an issuer's description (OpenID Connect Discovery 3).
#[derive(Deserialize)]
struct Described {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn new(loopback: bool) -> anyhow::Result<Self> {
        let guarded = Guarded { loopback };
        Ok(Self { client: guarded.client(CONNECT_LIMIT, ANSWER_LIMIT)?, guarded })
    }

    /// The keys that an issuer has now, and for how long they may be kept.
    pub(super) async fn fetch(&self, source: &Source) -> anyhow::Result<(Keys, Duration)> {
        let (body, headers) = match &source.jwks_uri {
            Some(uri) => self.get(uri).await?,
            None => self.get(&self.discover(&source.issuer).await?).await?,
        };
        let keys = Keys::read(&body).context("the key set is not readable")?;
        Ok((keys, fresh_for(&headers)))
    }

    async fn discover(&self, issuer: &str) -> anyhow::Result<String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (body, _) = self.get(&url).await?;
        let described: Described =
            serde_json::from_slice(&body).context("the issuer's description is not readable")?;
        anyhow::ensure!(described.issuer == issuer, "the description is of another issuer");
        Ok(described.jwks_uri)
    }

    async fn get(&self, url: &str) -> anyhow::Result<(Vec<u8>, HeaderMap)> {
        let url = self.guarded.url(url)?;
        let sent = self.client.get(url).header("accept", "application/json").send().await;
        let mut response = sent.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        anyhow::ensure!(status.is_success(), "the answer is {status}");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(
                body.len() <= ANSWER_MOST_BYTES,
                "the answer is longer than {ANSWER_MOST_BYTES} bytes"
            );
        }
        Ok((body, response.headers().clone()))
    }
}

/// As long as the issuer says, within reason: what it says nothing about is kept as briefly as can be.
pub(super) fn fresh_for(headers: &HeaderMap) -> Duration {
    let said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = said.flat_map(|value| value.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    Duration::from_secs(seconds.unwrap_or(0)).clamp(FRESH_LEAST, FRESH_MOST)
}
