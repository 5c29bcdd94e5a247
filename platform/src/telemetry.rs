//! Logs and metrics: set up once per process.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Settings;

static METRICS: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();

/// Starts logging to standard error and collecting metrics. A second call has no effect.
pub fn init(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal()) // a file is no place for colours
        .with_writer(std::io::stderr);
    let _already_set = match settings.log_format.as_str() {
        "json" => logs.json().try_init(),
        _ => logs.with_target(false).try_init(),
    };
    if let Ok(handle) = PrometheusBuilder::new().install_recorder() {
        let _already_set = METRICS.set(handle);
    }
}

/// The metrics of this process in Prometheus' text format.
pub fn metrics() -> String {
    METRICS.get().map_or_else(String::new, PrometheusHandle::render)
}
