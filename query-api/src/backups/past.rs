//! Backups as they were: how far each was, the archive while there was one, and what its verification had found.

use ::events::backups::backup::Backup;
use ::events::job::State;
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static BACKUP: Past<Backup> = Past {
    data: "backups.backups",
    what: "backup",
    names: names!("/backups/{backup_id}", "backups_backup"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let id = call.segment("backup_id").to_owned();
        Ok(Place { stream: id.clone(), id, text: None })
    },
    view: backup,
    masked: &[],
    owner: None,
};

fn backup(backup: &Backup, id: &str) -> Option<Value> {
    let archive = backup.made.as_ref();
    (backup.job.state != State::Absent).then(|| {
        json!({
            "backup_id": id,
            "name": backup.name,
            "scope": backup.scope,
            "status": backup.job.state,
            "attempts": backup.job.attempts,
            "to_position": archive.map(|archive| archive.to_position),
            "events": archive.map(|archive| archive.events),
            "size_bytes": archive.map(|archive| archive.size_bytes),
            "location": archive.map(|archive| &archive.location),
            "manifest_sha256": archive.map(|archive| &archive.manifest_sha256),
            "key_id": archive.map(|archive| &archive.key_id),
            "verification": backup.verification,
        })
    })
}
