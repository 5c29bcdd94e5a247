//! Backups: made, verified, restored, and kept for a while.

pub mod archive;
mod expire;
mod make;
mod verify;

use std::time::Duration;

use events::backups::backup::Backup;
use events::envelope::Recorded;
use platform::files::Files;
use serde_json::json;

use crate::making::{self, Filed};
use crate::runtime::{Effect, Handler, Jobs, Office, React, Reaction, Sweep, never_mind};

const MAKE: &str = "backups.make";
const VERIFY: &str = "backups.verify";
const REMOVE: &str = "backups.remove";
/// Reading and checking a whole log takes its time; heartbeats go on meanwhile.
const LEASE: Duration = Duration::from_secs(30);

/// What workers do for backups.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![Reaction {
            name: "backups_make",
            events: &[
                "backups.backup.requested",
                "backups.backup.retried",
                "backups.backup.cancel_requested",
                "backups.backup.cancelled",
                "backups.backup.verification_requested",
                "backups.backup.expired",
            ],
            react: React::Event(on_backup),
        }],
        handlers: vec![
            Handler {
                kind: MAKE,
                slots: 1,
                lease: LEASE,
                max_attempts: 5,
                run: make::run,
                give_up: make::give_up,
                let_go: Some(making::let_go::<Backup>),
                test: Some(make::test),
            },
            Handler {
                kind: VERIFY,
                slots: 1,
                lease: LEASE,
                max_attempts: 5,
                run: verify::run,
                give_up: verify::give_up,
                let_go: None,
                test: Some(verify::test),
            },
            Handler {
                kind: REMOVE,
                slots: 1,
                lease: LEASE,
                max_attempts: 10,
                run: expire::run,
                give_up: never_mind,
                let_go: None,
                test: None,
            },
        ],
        sweeps: vec![Sweep { name: "backups", run: expire::sweep }],
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_backup(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    let kind = match event.event_type.as_str() {
        "backups.backup.requested" | "backups.backup.retried" => MAKE,
        "backups.backup.cancel_requested" => {
            return Ok(vec![Effect::Interrupt { kind: MAKE, subject_id }]);
        }
        "backups.backup.cancelled" => return Ok(vec![Effect::Cancel { kind: MAKE, subject_id }]),
        "backups.backup.expired" => REMOVE,
        _ => VERIFY,
    };
    Ok(vec![Effect::Start { kind, subject_id, body: json!({}) }])
}

impl Filed for Backup {
    fn store(office: &Office) -> &Files {
        &office.archives
    }
}
