//! The notifications in people's inboxes, one row each until they are deleted.

use events::notifications::notification::{Event, Kind, Link, Notification, Priority};
use events::{Decider as _, NotificationId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Notifications;

row!(Row {
    tenant_id: TenantId = Uuid,
    notification_id: NotificationId = Uuid,
    user_id: UserId = Uuid,
    kind: Kind = Text,
    title: String = Text,
    message: String = Text,
    link: Option<Link> = Jsonb,
    priority: Priority = Text,
    read_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Notifications {
    const TABLE: Table = Table {
        name: "notifications_notifications",
        schema: "read",
        table: "notifications_notifications",
        key: &["tenant_id", "notification_id"],
        group: "notification_id",
        resource: ("notifications.notification", "notification_id"),
        columns: Row::COLUMNS,
        reads: &[Notification::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Notification>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Notification>()? else { return Ok(()) };
        let absent = || FoldError::absent("notification", &fact.recorded.aggregate_id);
        match event {
            Event::Created { user_id, kind, title, message, link, priority, .. } => {
                rows.insert(Row {
                    tenant_id: fact.tenant(),
                    notification_id: fact.stream_id()?,
                    user_id: *user_id,
                    kind: *kind,
                    title: title.clone(),
                    message: message.clone(),
                    link: link.clone(),
                    priority: *priority,
                    read_at: None,
                    version: fact.version(),
                    created_at: fact.at(),
                    changed_at: fact.at(),
                });
            }
            Event::Read => {
                let row = rows.only().ok_or_else(absent)?;
                row.read_at = Some(fact.at());
                row.version = fact.version();
                row.changed_at = fact.at();
            }
            Event::Deleted | Event::Expired => {
                if rows.remove(|_| true) == 0 {
                    return Err(absent());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn after(events: impl IntoIterator<Item = Event>) -> Vec<serde_json::Value> {
        let created = Event::Created {
            user_id: id(1),
            kind: Kind::ExportReady,
            title: "Your file is ready".into(),
            message: String::new(),
            link: Some(Link { subject: "exports.export".into(), id: "3".into() }),
            priority: Priority::Normal,
            dedupe_key: None,
        };
        let events = [created].into_iter().chain(events);
        Past::default()
            .with::<Notification>(id::<NotificationId>(2), events)
            .rows::<Notifications>()
    }

    #[test]
    fn a_new_notification_is_unread_and_says_what_it_leads_to() {
        let rows = after([]);
        assert_eq!(rows[0]["read_at"], json!(null));
        assert_eq!(rows[0]["link"], json!({"type": "exports.export", "id": "3"}));
    }

    #[test]
    fn one_that_was_read_says_when_and_a_deleted_one_is_gone() {
        assert_eq!(after([Event::Read])[0]["read_at"], "2026-01-01T12:00:02Z");
        assert!(after([Event::Read, Event::Deleted]).is_empty());
        assert!(after([Event::Expired]).is_empty());
    }
}
