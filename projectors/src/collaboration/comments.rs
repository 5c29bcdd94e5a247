//! The comments on records, one row each; of those that are deleted the place is left, and nothing of what they said.

use events::collaboration::thread::{Event, Thread};
use events::{CommentId, Decider as _, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Comments;

row!(Row {
    tenant_id: TenantId = Uuid,
    comment_id: CommentId = Uuid,
    subject: String = Text,
    parent_id: Option<CommentId> = Uuid,
    author_id: UserId = Uuid,
    body: Option<String> = Text,
    mentions: Vec<UserId> = Jsonb,
    editable_until: Timestamp = Timestamptz,
    edited_at: Option<Timestamp> = Timestamptz,
    deleted_at: Option<Timestamp> = Timestamptz,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Comments {
    const TABLE: Table = Table {
        name: "collaboration_comments",
        schema: "read",
        table: "collaboration_comments",
        key: &["tenant_id", "comment_id"],
        group: "comment_id",
        resource: ("collaboration.comment", "comment_id"),
        columns: Row::COLUMNS,
        reads: &[Thread::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.of::<Thread>()?.map(|event| event.comment_id().to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Thread>()? else { return Ok(()) };
        if let Event::CommentPosted {
            comment_id,
            subject,
            author_id,
            body,
            mentions,
            parent_id,
            editable_until,
        } = event
        {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                comment_id: *comment_id,
                subject: subject.to_string(),
                parent_id: *parent_id,
                author_id: *author_id,
                body: Some(body.clone()),
                mentions: mentions.clone(),
                editable_until: *editable_until,
                edited_at: None,
                deleted_at: None,
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let absent = || FoldError::absent("comment", event.comment_id());
        let row = rows.only().ok_or_else(absent)?;
        row.changed_at = fact.at();
        match event {
            Event::CommentPosted { .. } => {}
            Event::CommentEdited { body, mentions, .. } => {
                row.body = Some(body.clone());
                row.mentions.clone_from(mentions);
                row.edited_at = Some(fact.at());
            }
            Event::CommentDeleted { .. } => {
                (row.body, row.mentions) = (None, Vec::new());
                row.deleted_at = Some(fact.at());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::ThreadId;
    use events::subject::{Subject, SubjectKind};
    use events::testing::{at, id};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    fn subject() -> Subject {
        Subject { kind: SubjectKind::Role, id: id(7) }
    }

    fn posted(comment: u128, parent: Option<u128>) -> Event {
        Event::CommentPosted {
            comment_id: id(comment),
            subject: subject(),
            author_id: id(1),
            body: "See @anna".into(),
            mentions: vec![id(2)],
            parent_id: parent.map(id),
            editable_until: at("2026-01-01T12:15:00Z"),
        }
    }

    fn comment(events: impl IntoIterator<Item = Event>) -> Value {
        let events = [posted(4, None)].into_iter().chain(events);
        Past::default().with::<Thread>(id::<ThreadId>(3), events).row::<Comments>()
    }

    #[test]
    fn a_comment_says_on_what_it_is_and_who_is_called() {
        let row = comment([]);
        assert_eq!(row["subject"], subject().to_string());
        assert_eq!((&row["body"], &row["edited_at"]), (&json!("See @anna"), &json!(null)));
        assert_eq!(row["mentions"], json!([id::<UserId>(2)]));
        assert_eq!(row["editable_until"], "2026-01-01T12:15:00Z");
    }

    #[test]
    fn an_edited_comment_says_what_it_says_now_and_since_when() {
        let edited = Event::CommentEdited {
            comment_id: id(4),
            author_id: id(1),
            body: "See @bob".into(),
            mentions: vec![id(3)],
            mentions_added: vec![id(3)],
        };
        let row = comment([edited]);
        assert_eq!(
            (&row["body"], &row["mentions"]),
            (&json!("See @bob"), &json!([id::<UserId>(3)]))
        );
        assert_eq!(row["edited_at"], row["changed_at"]);
        assert_eq!(row["edited_at"], "2026-01-01T12:00:02Z");
        assert_eq!(row["created_at"], "2026-01-01T12:00:01Z");
    }

    #[test]
    fn of_a_deleted_comment_its_place_is_left_and_the_answers_to_it() {
        let deleted = || Event::CommentDeleted { comment_id: id(4) };
        let row = comment([deleted()]);
        assert_eq!((&row["body"], &row["mentions"]), (&json!(null), &json!([])));
        assert_eq!(row["deleted_at"], "2026-01-01T12:00:02Z");
        let events = [posted(4, None), posted(5, Some(4)), deleted()];
        let rows = Past::default().with::<Thread>(id::<ThreadId>(3), events).rows::<Comments>();
        let answer = rows.iter().find(|row| row["parent_id"] == json!(id::<CommentId>(4)));
        assert_eq!(answer.unwrap()["body"], "See @anna");
    }
}
