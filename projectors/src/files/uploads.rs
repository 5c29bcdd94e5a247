//! The files, one row each, from their announcement to their end, with what they are about.

use events::files::Purpose;
use events::files::content::Unfit;
use events::files::file::{Event, File, Link, Status};
use events::{Decider as _, FileId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Uploads;

row!(Row {
    tenant_id: TenantId = Uuid,
    file_id: FileId = Uuid,
    name: String = Text,
    media_type: String = Text,
    size_bytes: Option<u64> = Bigint,
    sha256: Option<String> = Text,
    purpose: Purpose = Text,
    status: Status = Text,
    uploaded_by: UserId = Uuid,
    subjects: Vec<String> = Jsonb,
    links: Vec<Link> = Jsonb,
    flag_reason: Option<String> = Text,
    refused_reason: Option<Unfit> = Text,
    downloads: i64 = Bigint,
    stored_at: Option<Timestamp> = Timestamptz,
    ends_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Uploads {
    const TABLE: Table = Table {
        name: "files_files",
        schema: "read",
        table: "files_files",
        key: &["tenant_id", "file_id"],
        group: "file_id",
        resource: ("files.file", "file_id"),
        columns: Row::COLUMNS,
        reads: &[File::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<File>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<File>()? else { return Ok(()) };
        if let Event::Initiated { name, media_type, size_bytes, purpose, uploaded_by, expires_at } =
            event
        {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                file_id: fact.stream_id()?,
                name: name.clone(),
                media_type: media_type.clone(),
                size_bytes: *size_bytes,
                sha256: None,
                purpose: *purpose,
                status: Status::Uploading,
                uploaded_by: *uploaded_by,
                subjects: Vec::new(),
                links: Vec::new(),
                flag_reason: None,
                refused_reason: None,
                downloads: 0,
                stored_at: None,
                ends_at: Some(*expires_at),
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("file", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    let end = |row: &mut Row, status| {
        row.status = status;
        row.ends_at = None;
    };
    match event {
        Event::Initiated { .. } => {}
        Event::Stored { content, keep_until } => {
            row.status = Status::Stored;
            row.media_type.clone_from(&content.media_type);
            row.size_bytes = Some(content.size_bytes);
            row.sha256 = Some(content.sha256.clone());
            (row.stored_at, row.ends_at) = (Some(at), *keep_until);
        }
        Event::Refused { reason } => {
            end(row, Status::Refused);
            row.refused_reason = Some(*reason);
        }
        Event::Aborted => end(row, Status::Aborted),
        Event::Expired => end(row, Status::Expired),
        Event::Flagged { reason } => row.flag_reason = Some(reason.clone()),
        Event::FlagLifted => row.flag_reason = None,
        Event::Linked { subject, role } => {
            row.links.retain(|link| link.subject != *subject);
            row.links.push(Link { subject: *subject, role: role.clone() });
            row.ends_at = None;
            tell_subjects(row);
        }
        Event::Unlinked { subject, keep_until } => {
            row.links.retain(|link| link.subject != *subject);
            row.ends_at = *keep_until;
            tell_subjects(row);
        }
        Event::Downloaded { .. } => row.downloads += 1,
        Event::Deleted { .. } => end(row, Status::Deleted),
    }
}

fn tell_subjects(row: &mut Row) {
    row.subjects = row.links.iter().map(|link| link.subject.to_string()).collect();
}

#[cfg(test)]
mod tests {
    use events::files::file::Content;
    use events::subject::{Subject, SubjectKind};
    use events::testing::{at, id};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    const END: &str = "2026-01-02T12:00:00Z";

    fn content() -> Content {
        Content {
            blob_id: id(9),
            sha256: "0f".repeat(32),
            size_bytes: 1000,
            media_type: "image/png".into(),
            uploaded_by: id(1),
        }
    }

    fn file(events: impl IntoIterator<Item = Event>) -> Value {
        let initiated = Event::Initiated {
            name: "x.png".into(),
            media_type: "application/octet-stream".into(),
            size_bytes: None,
            purpose: Purpose::Photo,
            uploaded_by: id(1),
            expires_at: at(END),
        };
        let events = [initiated].into_iter().chain(events);
        Past::default().with::<File>(id::<FileId>(3), events).row::<Uploads>()
    }

    #[test]
    fn a_stored_file_says_what_it_holds_and_until_when() {
        let row = file([]);
        assert_eq!((&row["status"], &row["ends_at"]), (&json!("uploading"), &json!(END)));
        let row = file([Event::Stored { content: content(), keep_until: None }]);
        assert_eq!((&row["status"], &row["media_type"]), (&json!("stored"), &json!("image/png")));
        assert_eq!((&row["size_bytes"], &row["ends_at"]), (&json!(1000), &json!(null)));
    }

    #[test]
    fn links_come_and_go() {
        let subject = |number| Subject { kind: SubjectKind::User, id: id(number) };
        let linked = |number| Event::Linked { subject: subject(number), role: "photo".into() };
        let unlinked = Event::Unlinked { subject: subject(1), keep_until: None };
        let stored = Event::Stored { content: content(), keep_until: Some(at(END)) };
        let row = file([stored, linked(1), linked(2), unlinked]);
        assert_eq!(row["subjects"], json!([subject(2).to_string()]));
        assert_eq!(row["links"], json!([{"subject": subject(2), "role": "photo"}]));
        assert_eq!(row["ends_at"], json!(null));
    }

    #[test]
    fn what_was_refused_or_is_held_back_says_why() {
        let row = file([Event::Refused { reason: Unfit::Program }]);
        assert_eq!(
            (&row["status"], &row["refused_reason"]),
            (&json!("refused"), &json!("program"))
        );
        let stored = || Event::Stored { content: content(), keep_until: None };
        let flagged = || Event::Flagged { reason: "not ours".into() };
        let fetched = Event::Downloaded { by: id(2) };
        let row = file([stored(), flagged(), fetched]);
        assert_eq!((&row["flag_reason"], &row["downloads"]), (&json!("not ours"), &json!(1)));
        let row = file([stored(), flagged(), Event::FlagLifted]);
        assert_eq!(row["flag_reason"], json!(null));
        let deleted = Event::Deleted { content: content() };
        assert_eq!(file([stored(), deleted])["status"], "deleted");
    }
}
