//! What `annals up` prints when it is ready: every address and credential, and what to do next.

use std::fmt::Write as _;
use std::time::Duration;

use platform::config::Settings;

use super::installation::Installation;
use crate::engines::{Engine, Engines};

const ENVIRONMENT: &str = "env";

/// Prints it, and keeps the addresses for other commands and shells.
pub(super) fn print(
    settings: &Settings,
    installation: &Installation,
    engines: &Engines,
    took: Duration,
) -> anyhow::Result<()> {
    engines
        .folder()
        .write_private(ENVIRONMENT, &environment(settings, mailbox_url(installation, engines)))?;
    println!("{}", text(settings, installation, engines, took));
    Ok(())
}

fn text(
    settings: &Settings,
    installation: &Installation,
    engines: &Engines,
    took: Duration,
) -> String {
    let mut out = String::new();
    let folder = engines.folder().path().display();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(out, "  {label:<10} {value}");
    };
    line("Commands", &format!("{}/api/v1", settings.command_url));
    line("Queries", &format!("{}/api/v1", settings.query_url));
    line("Streams", &format!("{}/api/v1/stream", settings.query_url.replacen("http", "ws", 1)));
    line("Postgres", &settings.database_url);
    line("NATS", &settings.nats_url);
    line("Redis", &settings.redis_url);
    if let Some(mailbox) = engines.mailbox() {
        line(
            "Mail",
            &format!("{}, which nobody gets: it stays in {}", settings.smtp_url, mailbox.display()),
        );
    }
    if let Some(url) = mailbox_url(installation, engines) {
        line("Mailbox", &format!("{url} shows it in the browser"));
    }
    line("Bootstrap", &format!("{} (creates organisations)", settings.bootstrap_token));
    let mut login = None;
    if let Some(demo) = &installation.demo {
        line("Demo", &format!("organisation {}", demo.slug));
        line("Owner", &format!("{} or {}, password {}", demo.handle, demo.email, demo.password));
        login = Some(format!(
            "Try:   curl -s {}/api/v1/auth/login -H 'content-type: application/json' \
             -d '{{\"organization\":\"{}\",\"login\":\"{}\",\"password\":\"{}\"}}'",
            settings.command_url, demo.slug, demo.handle, demo.password
        ));
    }
    let mut head =
        format!("annals {} - {} in {folder}\n", env!("CARGO_PKG_VERSION"), private(engines));
    head += &out;
    let _ =
        writeln!(head, "  Ready in {:.1} s. Ctrl-C stops it; the data stays.", took.as_secs_f64());
    head += &login.unwrap_or_default();
    let _ = write!(head, "\nShell: set -a; . {folder}/{ENVIRONMENT}; set +a");
    head
}

fn private(engines: &Engines) -> String {
    let names: Vec<&str> = engines.private().iter().map(|engine| title(*engine)).collect();
    match names.as_slice() {
        [] => "your own engines, files".into(),
        names => format!("private {}", names.join(", ")),
    }
}

fn title(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "Postgres",
        Engine::Nats => "NATS",
        Engine::Redis => "Redis",
        Engine::Mail => "mailbox",
    }
}

/// Where the mailbox of development is shown, if there is one.
fn mailbox_url(installation: &Installation, engines: &Engines) -> Option<String> {
    engines.mailbox().map(|_| format!("http://{}", installation.mailbox_address()))
}

/// The settings under which other commands, or a second process, meet this installation.
fn environment(settings: &Settings, mailbox_url: Option<String>) -> String {
    let pairs = [
        ("DATABASE_URL", settings.database_url.clone()),
        ("NATS_URL", settings.nats_url.clone()),
        ("REDIS_URL", settings.redis_url.clone()),
        ("SMTP_URL", settings.smtp_url.clone()),
        ("MAIL_FROM", settings.mail_from.clone()),
        ("ANNALS_COMMAND_URL", settings.command_url.clone()),
        ("ANNALS_QUERY_URL", settings.query_url.clone()),
        ("ANNALS_DATA_DIR", settings.data_dir.display().to_string()),
        ("ANNALS_MASTER_KEY", settings.master_key.clone()),
        ("ANNALS_BOOTSTRAP_TOKEN", settings.bootstrap_token.clone()),
        ("ANNALS_SERVICE_SECRET", settings.service_secret.clone()),
    ];
    let mut text = String::new();
    for (key, value) in pairs.into_iter().chain(mailbox_url.map(|url| ("MAILBOX_URL", url))) {
        let _ = writeln!(text, "{key}='{}'", value.replace('\'', "'\\''"));
    }
    text
}
