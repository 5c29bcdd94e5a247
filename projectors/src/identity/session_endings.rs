//! When all sessions of a user were ended, one row each time; the list of sessions shows by it which of them that ended.

use events::identity::session::RevocationReason;
use events::identity::user::{Event, User};
use events::{Decider as _, SessionId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct SessionEndings;

row!(Row {
    tenant_id: TenantId = Uuid,
    user_id: UserId = Uuid,
    number: u32 = Integer,
    spared_session_id: Option<SessionId> = Uuid,
    reason: RevocationReason = Text,
    ended_at: Timestamp = Timestamptz,
});

impl ReadModel for SessionEndings {
    const TABLE: Table = Table {
        name: "identity_session_endings",
        schema: "read",
        table: "identity_session_endings",
        key: &["tenant_id", "user_id", "number"],
        group: "user_id",
        resource: ("identity.user", "user_id"),
        columns: Row::COLUMNS,
        reads: &[User::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let ends = matches!(fact.of::<User>()?, Some(Event::SessionsEnded { .. }));
        Ok(ends.then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        if let Some(Event::SessionsEnded { reason, except }) = fact.of::<User>()? {
            // The number that a session remembers which begins afterwards.
            let number = rows.iter().map(|row| row.number).max().unwrap_or_default() + 1;
            rows.insert(Row {
                tenant_id: fact.tenant(),
                user_id: fact.stream_id()?,
                number,
                spared_session_id: *except,
                reason: *reason,
                ended_at: fact.at(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    #[test]
    fn each_end_of_all_sessions_has_the_number_that_later_sessions_remember() {
        let spared: SessionId = id(5);
        let ended = |except| Event::SessionsEnded { reason: RevocationReason::Password, except };
        let past = Past::default()
            .with::<User>(id::<UserId>(1), [ended(None), ended(Some(spared))])
            .with::<User>(id::<UserId>(2), [ended(None)]);
        let rows = past.rows::<SessionEndings>();
        let of = |user: u128| -> Vec<Value> {
            let user = json!(id::<UserId>(user));
            let of_user = rows.iter().filter(|row| row["user_id"] == user);
            of_user.map(|row| json!([row["number"], row["spared_session_id"]])).collect()
        };
        assert_eq!(of(1), [json!([1, null]), json!([2, spared])]);
        assert_eq!(of(2), [json!([1, null])]);
    }
}
