//! The organisations, one row each.

use events::Decider as _;
use events::identity::organization::{Event, Organization};
use events::{TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Organizations;

row!(Row {
    tenant_id: TenantId = Uuid,
    organization_id: TenantId = Uuid,
    name: String = Text,
    slug: String = Text,
    time_zone: String = Text,
    locale: String = Text,
    currency: String = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    purge_requested_by: Option<UserId> = Uuid,
    purge_requested_at: Option<Timestamp> = Timestamptz,
    purge_lapses_at: Option<Timestamp> = Timestamptz,
    purge_confirmed_by: Option<UserId> = Uuid,
    purge_effective_at: Option<Timestamp> = Timestamptz,
});

impl ReadModel for Organizations {
    const TABLE: Table = Table {
        name: "identity_organizations",
        schema: "read",
        table: "identity_organizations",
        key: &["tenant_id"],
        group: "organization_id",
        resource: ("identity.organization", "organization_id"),
        columns: Row::COLUMNS,
        reads: &[Organization::TYPE],
    };
    const BUILD: i32 = 2;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Organization>().then(|| fact.tenant().to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Organization>()? else { return Ok(()) };
        if let Event::Created { name, slug, time_zone, locale, currency } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                organization_id: fact.tenant(),
                name: name.clone(),
                slug: slug.clone(),
                time_zone: time_zone.clone(),
                locale: locale.clone(),
                currency: currency.clone(),
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
                purge_requested_by: None,
                purge_requested_at: None,
                purge_lapses_at: None,
                purge_confirmed_by: None,
                purge_effective_at: None,
            });
            return Ok(());
        }
        let row = rows.only().ok_or_else(|| FoldError::absent("organisation", fact.tenant()))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Renamed { name } => row.name.clone_from(name),
            Event::PurgeRequested { by, lapses_at } => {
                not_purged(row);
                row.purge_requested_by = Some(*by);
                row.purge_requested_at = Some(fact.at());
                row.purge_lapses_at = Some(*lapses_at);
            }
            Event::PurgeConfirmed { by, effective_at } => {
                row.purge_confirmed_by = Some(*by);
                row.purge_effective_at = Some(*effective_at);
            }
            Event::PurgeCancelled => not_purged(row),
            // The runtime takes away every row of the organisation, whatever the read model.
            Event::Purged
            | Event::Created { .. }
            | Event::Suspended { .. }
            | Event::Reactivated
            | Event::UnitAdded { .. }
            | Event::UnitMoved { .. }
            | Event::UnitRenamed { .. }
            | Event::UnitClosed { .. } => {}
        }
        Ok(())
    }
}

/// Nobody wants the organisation purged.
fn not_purged(row: &mut Row) {
    row.purge_requested_by = None;
    row.purge_requested_at = None;
    row.purge_lapses_at = None;
    row.purge_confirmed_by = None;
    row.purge_effective_at = None;
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn created() -> Event {
        Event::Created {
            name: "Acme".into(),
            slug: "acme".into(),
            time_zone: "Europe/Zurich".into(),
            locale: "de-CH".into(),
            currency: "CHF".into(),
        }
    }

    #[test]
    fn a_purge_is_shown_from_its_request_until_it_is_cancelled() {
        let requested = Event::PurgeRequested { by: id(1), lapses_at: at("2026-01-31T12:00:00Z") };
        let confirmed =
            Event::PurgeConfirmed { by: id(2), effective_at: at("2026-01-08T12:00:00Z") };
        let past = Past::default()
            .with::<Organization>(id::<TenantId>(0), [created(), requested, confirmed]);
        let row = past.row::<Organizations>();
        assert_eq!(row["purge_requested_by"], json!(id::<UserId>(1)));
        assert_eq!(row["purge_requested_at"], "2026-01-01T12:00:02Z");
        assert_eq!(row["purge_confirmed_by"], json!(id::<UserId>(2)));
        assert_eq!(row["purge_effective_at"], "2026-01-08T12:00:00Z");
        let row = past
            .with::<Organization>(id::<TenantId>(0), [Event::PurgeCancelled])
            .row::<Organizations>();
        assert_eq!((&row["purge_requested_at"], &row["version"]), (&json!(null), &json!(4)));
    }

    #[test]
    fn a_renamed_organisation_has_its_new_name_and_version() {
        let row = Past::default()
            .with::<Organization>(
                id::<TenantId>(0),
                [created(), Event::Renamed { name: "Acme AG".into() }],
            )
            .row::<Organizations>();
        assert_eq!(
            row,
            json!({
                "tenant_id": id::<TenantId>(0), "organization_id": id::<TenantId>(0),
                "name": "Acme AG", "slug": "acme", "time_zone": "Europe/Zurich",
                "locale": "de-CH", "currency": "CHF", "version": 2,
                "created_at": "2026-01-01T12:00:01Z", "changed_at": "2026-01-01T12:00:02Z",
                "purge_requested_by": null, "purge_requested_at": null, "purge_lapses_at": null,
                "purge_confirmed_by": null, "purge_effective_at": null,
            })
        );
    }
}
