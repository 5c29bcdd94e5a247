//! Backups as they were: how far each was, the archive while there was one, and what its verification had found.

use ::events::backups::backup::{Backup, Status};
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
    let archive = match &backup.status {
        Status::Absent => return None,
        Status::Queued | Status::Running | Status::Failed => None,
        Status::Completed(archive) | Status::Expired(archive) => Some(archive),
    };
    Some(json!({
        "backup_id": id,
        "name": backup.name,
        "scope": backup.scope,
        "status": backup.status.name(),
        "attempts": backup.attempts,
        "to_position": archive.map(|archive| archive.to_position),
        "events": archive.map(|archive| archive.events),
        "size_bytes": archive.map(|archive| archive.size_bytes),
        "location": archive.map(|archive| &archive.location),
        "manifest_sha256": archive.map(|archive| &archive.manifest_sha256),
        "key_id": archive.map(|archive| &archive.key_id),
        "verification": backup.verification,
    }))
}
