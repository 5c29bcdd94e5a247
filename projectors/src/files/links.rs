//! Which files are about which record, one row each, so that a record's files are found by its name.

use events::files::file::{Event, File};
use events::{Decider as _, FileId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Links;

row!(Row {
    tenant_id: TenantId = Uuid,
    subject: String = Text,
    file_id: FileId = Uuid,
    role: String = Text,
    created_at: Timestamp = Timestamptz,
});

impl ReadModel for Links {
    const TABLE: Table = Table {
        name: "files_links",
        schema: "read",
        table: "files_links",
        key: &["tenant_id", "subject", "file_id"],
        group: "file_id",
        resource: ("files.link", "file_id"),
        columns: Row::COLUMNS,
        reads: &[File::TYPE],
    };
    const BUILD: i32 = 1;
    const ECHOES: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let touches = match fact.of::<File>()? {
            Some(Event::Linked { .. } | Event::Unlinked { .. }) => true,
            Some(
                Event::Initiated { .. }
                | Event::Stored { .. }
                | Event::Refused { .. }
                | Event::Aborted
                | Event::Expired
                | Event::Flagged { .. }
                | Event::FlagLifted
                | Event::Downloaded { .. }
                | Event::Deleted { .. },
            )
            | None => false,
        };
        Ok(touches.then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<File>()? else { return Ok(()) };
        if let Event::Linked { subject, .. } | Event::Unlinked { subject, .. } = event {
            let subject = subject.to_string();
            rows.remove(|row| row.subject == subject);
        }
        if let Event::Linked { subject, role } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                subject: subject.to_string(),
                file_id: fact.stream_id()?,
                role: role.clone(),
                created_at: fact.at(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::subject::{Subject, SubjectKind};
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_row_is_there_for_as_long_as_the_link() {
        let subject = |number| Subject { kind: SubjectKind::User, id: id(number) };
        let linked =
            |number, role: &str| Event::Linked { subject: subject(number), role: role.into() };
        let unlinked = |number| Event::Unlinked { subject: subject(number), keep_until: None };
        let events = [
            linked(1, "photo"),
            linked(2, "photo"),
            unlinked(1),
            linked(3, "proof"),
            unlinked(3),
            linked(3, "photo"),
        ];
        let past = Past::default().with::<File>(id::<FileId>(9), events);
        let found = past.with::<File>(id::<FileId>(8), [linked(2, "photo")]).rows::<Links>();
        let found: Vec<_> =
            found.iter().map(|row| json!([row["subject"], row["file_id"], row["role"]])).collect();
        let row =
            |number, file: u128| json!([subject(number).to_string(), id::<FileId>(file), "photo"]);
        assert_eq!(found.len(), 3, "{found:?}");
        for wanted in [row(2, 9), row(3, 9), row(2, 8)] {
            assert!(found.contains(&wanted), "{wanted} in {found:?}");
        }
    }
}
