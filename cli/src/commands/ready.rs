//! `annals ready`: asks doors whether they can work, for health checks in images without a client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where a door answers, such as <http://127.0.0.1:7401>
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = client()?;
    for url in arguments.urls {
        ask(&client, &url).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails unless the door says that it is ready.
pub(super) async fn ask(client: &reqwest::Client, url: &str) -> anyhow::Result<()> {
    let url = format!("{}/readyz", url.trim_end_matches('/'));
    let answer = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    ensure!(answer.status().is_success(), "{url} says {}; see {url}?verbose", answer.status());
    Ok(())
}

/// A client that does not wait for ever.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy() // it speaks to this installation only
        .build()
        .context("cannot build an HTTP client")
}
