//! The organisations, one row each.

use events::Decider as _;
use events::TenantId;
use events::identity::organization::{Event, Organization};
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
    const BUILD: i32 = 1;
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
            });
            return Ok(());
        }
        let row = rows.only().ok_or_else(|| FoldError::absent("organisation", fact.tenant()))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Renamed { name } => row.name.clone_from(name),
            Event::Created { .. }
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

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_renamed_organisation_has_its_new_name_and_version() {
        let created = Event::Created {
            name: "Acme".into(),
            slug: "acme".into(),
            time_zone: "Europe/Zurich".into(),
            locale: "de-CH".into(),
            currency: "CHF".into(),
        };
        let row = Past::default()
            .with::<Organization>(
                id::<TenantId>(0),
                [created, Event::Renamed { name: "Acme AG".into() }],
            )
            .row::<Organizations>();
        assert_eq!(
            row,
            json!({
                "tenant_id": id::<TenantId>(0), "organization_id": id::<TenantId>(0),
                "name": "Acme AG", "slug": "acme", "time_zone": "Europe/Zurich",
                "locale": "de-CH", "currency": "CHF", "version": 2,
                "created_at": "2026-01-01T12:00:01Z", "changed_at": "2026-01-01T12:00:02Z"
            })
        );
    }
}
