//! The sessions of users, one row each; tokens are not among the columns, not even as digests.

use events::identity::session::{Event, RevocationReason, Session};
use events::{Decider as _, IssuerId, SessionId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Sessions;

row!(Row {
    tenant_id: TenantId = Uuid,
    session_id: SessionId = Uuid,
    user_id: UserId = Uuid,
    amr: Vec<String> = Jsonb,
    ip: Option<String> = Text,
    user_agent: Option<String> = Text,
    rotation: u32 = Integer,
    expires_at: Timestamp = Timestamptz,
    reuse_detected_at: Option<Timestamp> = Timestamptz,
    revoked_at: Option<Timestamp> = Timestamptz,
    revocation_reason: Option<RevocationReason> = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    issuer_id: Option<IssuerId> = Uuid,
    began_after: u32 = Integer,
    issuer_endings: u32 = Integer,
});

impl ReadModel for Sessions {
    const TABLE: Table = Table {
        name: "identity_sessions",
        schema: "read",
        table: "identity_sessions",
        key: &["tenant_id", "session_id"],
        group: "session_id",
        resource: ("identity.session", "session_id"),
        columns: Row::COLUMNS,
        reads: &[Session::TYPE],
    };
    const BUILD: i32 = 3;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Session>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Session>()? else { return Ok(()) };
        if let Event::Started {
            user_id,
            expires_at,
            amr,
            ip,
            user_agent,
            began_after,
            issuer_id,
            issuer_endings,
            ..
        } = event
        {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                session_id: fact.stream_id()?,
                user_id: *user_id,
                amr: amr.clone(),
                issuer_id: *issuer_id,
                ip: ip.clone(),
                user_agent: user_agent.clone(),
                rotation: 0,
                expires_at: *expires_at,
                reuse_detected_at: None,
                revoked_at: None,
                revocation_reason: None,
                began_after: *began_after,
                issuer_endings: *issuer_endings,
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("session", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Started { .. } => {}
            Event::Refreshed { rotation, expires_at, .. } => {
                row.rotation = *rotation;
                row.expires_at = *expires_at;
            }
            Event::RefreshReuseDetected { .. } => row.reuse_detected_at = Some(fact.at()),
            Event::Revoked { reason } => {
                row.revoked_at = Some(fact.at());
                row.revocation_reason = Some(*reason);
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

    #[test]
    fn a_session_shows_how_it_goes_on_and_why_it_ended_but_no_token() {
        let started = Event::Started {
            user_id: id(1),
            refresh_sha256: "feed".into(),
            expires_at: at("2026-02-01T00:00:00Z"),
            amr: vec!["pwd".into()],
            ip: Some("192.0.2.1".into()),
            user_agent: None,
            began_after: 0,
            issuer_id: Some(id(9)),
            issuer_endings: 2,
            token_sha256: Some("cafe".into()),
        };
        let refreshed = Event::Refreshed {
            rotation: 1,
            refresh_sha256: "beef".into(),
            expires_at: at("2026-02-02T00:00:00Z"),
        };
        let events = [
            started,
            refreshed,
            Event::RefreshReuseDetected { rotation: 1 },
            Event::Revoked { reason: RevocationReason::Reuse },
        ];
        let row = Past::default().with::<Session>(id::<SessionId>(7), events).row::<Sessions>();
        assert_eq!(row["rotation"], 1);
        assert_eq!(row["ip"], "192.0.2.1");
        assert_eq!(row["revocation_reason"], "reuse");
        assert_eq!(row["reuse_detected_at"], "2026-01-01T12:00:03Z");
        assert_eq!(row["issuer_id"], id::<IssuerId>(9).to_string());
        assert_eq!(row["issuer_endings"], 2);
        assert!(!row.to_string().contains("cafe"));
        assert!(!row.to_string().contains("feed") && !row.to_string().contains("beef"));
    }
}
