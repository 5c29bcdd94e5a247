//! Log to bus: publishes every event in the log's order, and repairs the stream whenever it differs from the log.
//!
//! Any number of relays may run; the one that holds the advisory lock works. One that was paused and works on is fenced
//! by the stream itself, because every message names the number of the one before it.

mod follow;
mod log;
mod resume;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics::gauge;
use platform::config::Settings;
use platform::lifecycle::Shutdown;

use crate::follow::Follower;
use crate::log::Log;
use crate::wake::Wake;

const END_LIMIT: Duration = Duration::from_secs(3);
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Runs a relay until `shutdown`. Only settings that can never work are an error; outages are waited out.
pub async fn run(settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
    let bus = nats::connect(&settings.nats_url).await.context("the relay cannot use the bus")?;
    gauge!("relay_leader").set(0.0);
    let mut reachable = true;
    while !shutdown.begun() {
        let outcome = tokio::select! {
            outcome = term(&settings, &bus, &shutdown, &mut reachable) => outcome,
            () = overdue(&shutdown) => Ok(()),
        };
        gauge!("relay_leader").set(0.0);
        if let Err(error) = outcome {
            if std::mem::replace(&mut reachable, false) {
                let error = format!("{error:#}");
                tracing::warn!(error, "the relay lost the log, trying again");
            }
            shutdown.sleep(RETRY_AFTER).await;
        }
    }
    Ok(())
}

/// Returns when the process should have ended and something still hangs.
async fn overdue(shutdown: &Shutdown) {
    shutdown.wait().await;
    tokio::time::sleep(END_LIMIT).await;
}

/// One connection to the log: waits to lead on it, then follows the log until the connection breaks or the process ends.
async fn term(
    settings: &Settings,
    bus: &nats::Bus,
    shutdown: &Shutdown,
    reachable: &mut bool,
) -> anyhow::Result<()> {
    let mut log = tokio::select! {
        log = Log::connect(&settings.database_url) => log?,
        () = shutdown.wait() => return Ok(()),
    };
    if !std::mem::replace(reachable, true) {
        tracing::info!("the relay reads the log again");
    }
    if !log.lead(shutdown).await? {
        return Ok(());
    }
    tracing::info!("this relay leads");
    gauge!("relay_leader").set(1.0);
    let wake = Wake::listen(&settings.database_url).await;
    Follower::new(bus.clone(), log, wake, shutdown.clone()).run().await
}
