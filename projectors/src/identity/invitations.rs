//! The invitations, one row each; tokens are not among the columns, not even as digests.

use events::identity::invitation::{Event, Invitation};
use events::personal::ERASED;
use events::rbac::Assignment;
use events::{Decider as _, InvitationId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Invitations;

row!(Row {
    tenant_id: TenantId = Uuid,
    invitation_id: InvitationId = Uuid,
    email: String = Text,
    roles: Vec<Assignment> = Jsonb,
    message: Option<String> = Text,
    status: String = Text,
    invited_by: UserId = Uuid,
    sendings: u32 = Integer,
    expires_at: Timestamp = Timestamptz,
    accepted_at: Option<Timestamp> = Timestamptz,
    user_id: Option<UserId> = Uuid,
    revoked_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

const OPEN: &str = "open";
const EXPIRED: &str = "expired";
const ACCEPTED: &str = "accepted";
const REVOKED: &str = "revoked";

impl ReadModel for Invitations {
    const TABLE: Table = Table {
        name: "identity_invitations",
        schema: "read",
        table: "identity_invitations",
        key: &["tenant_id", "invitation_id"],
        group: "invitation_id",
        resource: ("identity.invitation", "invitation_id"),
        columns: Row::COLUMNS,
        reads: &[Invitation::TYPE],
    };
    const BUILD: i32 = 3;
    const OPENS: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Invitation>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Invitation>()? else { return Ok(()) };
        if let Event::Issued { email, roles, message, invited_by, expires_at, .. } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                invitation_id: fact.stream_id()?,
                email: email.clone(),
                roles: roles.clone(),
                message: message.clone(),
                status: OPEN.into(),
                invited_by: *invited_by,
                sendings: 1,
                expires_at: *expires_at,
                accepted_at: None,
                user_id: None,
                revoked_at: None,
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("invitation", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Issued { .. } => {}
            Event::Resent { invited_by, expires_at, .. } => {
                row.status = OPEN.into();
                row.invited_by = *invited_by;
                row.sendings += 1;
                row.expires_at = *expires_at;
            }
            Event::Expired { .. } => row.status = EXPIRED.into(),
            Event::Accepted { user_id, .. } => {
                row.status = ACCEPTED.into();
                row.accepted_at = Some(fact.at());
                row.user_id = Some(*user_id);
            }
            Event::Revoked { .. } => {
                row.status = REVOKED.into();
                row.revoked_at = Some(fact.at());
            }
            Event::Erased { .. } => {
                row.status = ERASED.into();
                row.email = ERASED.into();
                row.message = row.message.take().map(|_| ERASED.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;
    use crate::testing::Past;

    fn after(events: impl IntoIterator<Item = Event>) -> serde_json::Value {
        let issued = Event::Issued {
            email: "ada@example.org".into(),
            roles: vec![Assignment { role_id: id(3), unit_id: None, expires_at: None }],
            message: None,
            invited_by: id(1),
            token_sha256: "feed".into(),
            expires_at: at("2026-01-08T12:00:00Z"),
        };
        let resent = Event::Resent {
            invited_by: id(2),
            token_sha256: "beef".into(),
            expires_at: at("2026-01-09T12:00:00Z"),
            email: None,
        };
        let events = [issued, resent].into_iter().chain(events);
        Past::default().with::<Invitation>(id::<InvitationId>(7), events).row::<Invitations>()
    }

    #[test]
    fn an_invitation_shows_who_sent_it_last_and_no_token() {
        let row = after([]);
        assert_eq!(row["status"], "open");
        assert_eq!(row["sendings"], 2);
        assert_eq!(row["invited_by"], id::<UserId>(2).to_string());
        assert_eq!(row["expires_at"], "2026-01-09T12:00:00Z");
        assert!(!row.to_string().contains("feed") && !row.to_string().contains("beef"));
    }

    #[test]
    fn an_invitation_shows_what_came_of_it() {
        let email = || "ada@example.org".to_owned();
        let row = after([Event::Accepted { user_id: id(8), email: email() }]);
        assert_eq!(row["status"], "accepted");
        assert_eq!(row["user_id"], id::<UserId>(8).to_string());
        let row = after([Event::Expired { email: email() }]);
        assert_eq!(row["status"], "expired");
        let row = after([Event::Revoked { email: email() }]);
        assert_eq!(row["status"], "revoked");
        assert_eq!(row["revoked_at"], "2026-01-01T12:00:03Z");
        let row = after([Event::Erased { email: email() }]);
        assert_eq!((&row["status"], &row["email"]), (&"erased".into(), &"erased".into()));
    }
}
