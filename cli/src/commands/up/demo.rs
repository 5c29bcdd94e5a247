//! The demo organisation: asked for like any other, at the public door.

use anyhow::{Context as _, bail};
use platform::config::Settings;
use platform::secrets;
use reqwest::StatusCode;
use serde_json::json;

use super::installation::{Demo, Installation};
use crate::commands::ready;
use crate::engines::Folder;

/// Makes it on first start; a start that was cut off in the middle is completed.
pub(super) async fn make(
    settings: &Settings,
    installation: &mut Installation,
    folder: &Folder,
) -> anyhow::Result<()> {
    if installation.demo.as_ref().is_some_and(|demo| demo.made) {
        return Ok(());
    }
    let demo = installation.demo.get_or_insert_with(|| Demo {
        slug: "demo".into(),
        handle: "owner".into(),
        email: "owner@demo.test".into(),
        password: secrets::random_token(),
        made: false,
    });
    let wanted = demo.clone();
    installation.keep(folder)?; // the password must outlive a crash between asking and noting
    if ask(settings, &wanted).await? {
        installation.demo = Some(Demo { made: true, ..wanted });
    } else {
        eprintln!(
            "annals: there is an organisation \"demo\" already, made elsewhere; it is left alone"
        );
        installation.demo = None;
    }
    installation.keep(folder)
}

/// Whether it is ours now; not when somebody else made one of that name before.
async fn ask(settings: &Settings, demo: &Demo) -> anyhow::Result<bool> {
    let answer = ready::client()?
        .post(format!("{}/api/v1/organizations", settings.command_url))
        .bearer_auth(&settings.bootstrap_token)
        .json(&json!({
            "name": "Demo",
            "slug": demo.slug,
            "owner": {
                "email": demo.email,
                "handle": demo.handle,
                "display_name": "Demo Owner",
                "password": demo.password,
            },
        }))
        .send()
        .await
        .context("cannot ask for the demo organisation")?;
    let status = answer.status();
    if status == StatusCode::CONFLICT {
        return signs_in(settings, demo).await; // ours when an earlier start was cut off here
    }
    if !status.is_success() {
        let problem = answer.text().await.unwrap_or_default();
        bail!("the demo organisation was refused with {status}: {problem}");
    }
    Ok(true)
}

async fn signs_in(settings: &Settings, demo: &Demo) -> anyhow::Result<bool> {
    let answer = ready::client()?
        .post(format!("{}/api/v1/auth/login", settings.command_url))
        .json(&json!({
            "organization": demo.slug,
            "login": demo.handle,
            "password": demo.password,
        }))
        .send()
        .await
        .context("cannot sign in to the demo organisation")?;
    Ok(answer.status().is_success())
}
