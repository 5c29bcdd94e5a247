//! A bucket of an S3-compatible server (Amazon, `MinIO`, Ceph) as the store: where it is, and how long we wait for it.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::Uri;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, RetryConfig};

use crate::config::Settings;

/// Parts of a file on its way: at most 10000 (S3), so this bounds a file at 80 GiB.
pub(super) const PART_BYTES: usize = 8 * 1024 * 1024;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Between two reads of an answer; the whole of a large one may take longer.
const READ_LIMIT: Duration = Duration::from_secs(30);
const RETRIES_MOST: usize = 5;
const RETRY_LIMIT: Duration = Duration::from_mins(1);

/// The bucket, where the settings name one.
pub(super) fn bucket(settings: &Settings) -> anyhow::Result<Option<AmazonS3>> {
    check(settings)?;
    if settings.s3_bucket.is_empty() {
        return Ok(None);
    }
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_LIMIT)
        .with_timeout_disabled()
        .with_read_timeout(READ_LIMIT);
    let retry = RetryConfig {
        max_retries: RETRIES_MOST,
        retry_timeout: RETRY_LIMIT,
        ..RetryConfig::default()
    };
    // Path-style addresses, which every server understands.
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(&settings.s3_bucket)
        .with_region(&settings.s3_region)
        .with_access_key_id(&settings.s3_access_key_id)
        .with_secret_access_key(&settings.s3_secret_access_key)
        .with_virtual_hosted_style_request(false);
    if !settings.s3_endpoint.is_empty() {
        builder = builder
            .with_endpoint(settings.s3_endpoint.trim_end_matches('/'))
            .with_allow_http(is_loopback(&settings.s3_endpoint));
    }
    builder.build().map(Some).context("ANNALS_S3_*: the bucket cannot be used")
}

/// Refuses settings that are half of a bucket, or would send its keys over a network in the clear.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    if settings.s3_bucket.is_empty() {
        return Ok(());
    }
    for (name, value) in [
        ("ANNALS_S3_REGION", &settings.s3_region),
        ("ANNALS_S3_ACCESS_KEY_ID", &settings.s3_access_key_id),
        ("ANNALS_S3_SECRET_ACCESS_KEY", &settings.s3_secret_access_key),
    ] {
        ensure!(!value.is_empty(), "ANNALS_S3_BUCKET is set, so {name} must be too");
    }
    let endpoint = &settings.s3_endpoint;
    ensure!(
        endpoint.is_empty() || endpoint.starts_with("https://") || is_loopback(endpoint),
        "ANNALS_S3_ENDPOINT must begin with https://; http:// is for this machine alone"
    );
    Ok(())
}

/// Whether a URL is one of HTTP on this machine.
fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    uri.scheme_str() == Some("http") && here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_bucket_and_keys_in_the_clear_are_refused() {
        let whole = || Settings {
            s3_bucket: "annals".into(),
            s3_access_key_id: "id".into(),
            s3_secret_access_key: "secret".into(),
            ..Settings::default()
        };
        assert!(check(&whole()).is_ok());
        for half in [
            Settings { s3_region: String::new(), ..whole() },
            Settings { s3_access_key_id: String::new(), ..whole() },
            Settings { s3_secret_access_key: String::new(), ..whole() },
        ] {
            assert!(check(&half).is_err());
        }
        let at = |endpoint: &str| check(&Settings { s3_endpoint: endpoint.into(), ..whole() });
        for fine in [
            "https://s3.example.org",
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(at(fine).is_ok(), "{fine}");
        }
        for clear in [
            "http://s3.example.org",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "s3",
            "http://localhost.example.org",
        ] {
            assert!(at(clear).is_err(), "{clear}");
        }
    }
}
