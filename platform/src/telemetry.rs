//! Logs and metrics: set up once per process.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, filter, fmt};

use crate::config::{AuditLogLevel, Settings};

/// The target of lines that say who did what, whatever else is logged.
pub const AUDIT: &str = "audit";

static METRICS: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();

/// Starts logging to standard error and collecting metrics. A second call has no effect.
pub fn init(settings: &Settings) {
    let colours = std::io::stderr().is_terminal(); // a file is no place for them
    let _already_set = subscriber(settings, std::io::stderr, colours).try_init();
    if let Ok(handle) = PrometheusBuilder::new().install_recorder() {
        let _already_set = METRICS.set(handle);
    }
}

/// What is audited is written by a layer of its own: as JSON and by its own level, however the rest is written.
fn subscriber<W>(settings: &Settings, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let chosen = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = fmt::layer().with_ansi(colours).with_writer(writer.clone());
    let logs = match settings.log_format.as_str() {
        "json" => logs.json().boxed(),
        _ => logs.with_target(false).boxed(),
    };
    let is_audit = |line: &Metadata<'_>| line.target() == AUDIT;
    let rest = filter::filter_fn(move |line| !is_audit(line));
    let level = match settings.audit_log_level {
        AuditLogLevel::Off => LevelFilter::OFF,
        AuditLogLevel::Warn => LevelFilter::WARN,
        AuditLogLevel::Info => LevelFilter::INFO,
    };
    let audited = filter::filter_fn(move |line| is_audit(line) && *line.level() <= level);
    let audit = fmt::layer().json().flatten_event(true).with_writer(writer);
    Registry::default()
        .with(logs.with_filter(rest).with_filter(chosen))
        .with(audit.with_filter(audited.with_max_level_hint(level)))
}

/// The metrics of this process in Prometheus' text format.
pub fn metrics() -> String {
    METRICS.get().map_or_else(String::new, PrometheusHandle::render)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(log: &str, audit_log_level: AuditLogLevel) -> Vec<String> {
        let page = Page::default();
        let settings = Settings { log: log.into(), audit_log_level, ..Settings::default() };
        let copy = page.clone();
        let lines = subscriber(&settings, move || copy.clone(), false);
        tracing::subscriber::with_default(lines, || {
            tracing::info!(target: AUDIT, { actor.id = "anna" }, "a command was carried out");
            tracing::warn!(target: AUDIT, { actor.id = "bert" }, "a permission was lacking");
            tracing::info!("nothing to audit");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_audited_is_json_and_has_a_level_of_its_own() {
        let lines = written("off", AuditLogLevel::Info);
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!((&lines[0]["target"], &lines[0]["actor.id"]), (&AUDIT.into(), &"anna".into()));
        assert_eq!(lines[1]["level"], "WARN");
        assert_eq!(written("off", AuditLogLevel::Warn).len(), 1);
        assert!(written("off", AuditLogLevel::Off).is_empty());
    }

    #[test]
    fn what_is_audited_stands_in_no_other_line() {
        let lines = written("info", AuditLogLevel::Off);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("nothing to audit"));
        assert_eq!(written("info", AuditLogLevel::Info).len(), 3);
    }
}
