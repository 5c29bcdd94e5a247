//! The API keys of users, one row each; their secrets are not among the columns, not even as digests.

use events::identity::api_key::{ApiKey, Event, RevocationReason};
use events::{ApiKeyId, Decider as _, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct ApiKeys;

row!(Row {
    tenant_id: TenantId = Uuid,
    api_key_id: ApiKeyId = Uuid,
    user_id: UserId = Uuid,
    name: String = Text,
    scope: Vec<String> = Jsonb,
    rotation: u32 = Integer,
    rotated_at: Option<Timestamp> = Timestamptz,
    overlap_ends_at: Option<Timestamp> = Timestamptz,
    expires_at: Timestamp = Timestamptz,
    revoked_at: Option<Timestamp> = Timestamptz,
    revocation_reason: Option<RevocationReason> = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for ApiKeys {
    const TABLE: Table = Table {
        name: "identity_api_keys",
        schema: "read",
        table: "identity_api_keys",
        key: &["tenant_id", "api_key_id"],
        group: "api_key_id",
        resource: ("identity.api_key", "api_key_id"),
        columns: Row::COLUMNS,
        reads: &[ApiKey::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<ApiKey>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<ApiKey>()? else { return Ok(()) };
        if let Event::Created { owner_id, name, scope, expires_at, .. } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                api_key_id: fact.stream_id()?,
                user_id: *owner_id,
                name: name.clone(),
                scope: scope.clone(),
                rotation: 0,
                rotated_at: None,
                overlap_ends_at: None,
                expires_at: *expires_at,
                revoked_at: None,
                revocation_reason: None,
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("API key", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Created { .. } | Event::EndAnnounced { .. } => {}
            Event::Renamed { name } => row.name.clone_from(name),
            Event::Rotated { expires_at, overlap_ends_at, .. } => {
                row.rotation += 1;
                row.rotated_at = Some(fact.at());
                row.overlap_ends_at = *overlap_ends_at;
                row.expires_at = *expires_at;
            }
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
    fn a_key_shows_its_scope_and_what_became_of_it_but_no_secret() {
        let created = Event::Created {
            owner_id: id(1),
            name: "Stock import".into(),
            scope: vec!["exports.files:request".into()],
            secret_sha256: "feed".into(),
            expires_at: at("2026-06-01T00:00:00Z"),
        };
        let rotated = Event::Rotated {
            secret_sha256: "beef".into(),
            expires_at: at("2026-07-01T00:00:00Z"),
            overlap_ends_at: Some(at("2026-01-01T13:00:00Z")),
        };
        let renamed = Event::Renamed { name: "Stock export".into() };
        let revoked = Event::Revoked { reason: RevocationReason::Leaked };
        let events = [created, rotated, renamed, revoked];
        let row = Past::default().with::<ApiKey>(id::<ApiKeyId>(7), events).row::<ApiKeys>();
        assert_eq!((&row["rotation"], &row["name"]), (&1.into(), &"Stock export".into()));
        assert_eq!(row["expires_at"], "2026-07-01T00:00:00Z");
        assert_eq!(row["overlap_ends_at"], "2026-01-01T13:00:00Z");
        assert_eq!(row["revocation_reason"], "leaked");
        assert_eq!(row["scope"], serde_json::json!(["exports.files:request"]));
        assert!(!row.to_string().contains("feed") && !row.to_string().contains("beef"));
    }
}
