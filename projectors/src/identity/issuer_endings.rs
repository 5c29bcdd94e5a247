//! When all sessions that rest on an issuer were ended, one row each time; the list of sessions shows by it which of them that ended.

use events::identity::issuer::{Event, Issuer};
use events::{Decider as _, IssuerId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct IssuerEndings;

row!(Row {
    tenant_id: TenantId = Uuid,
    issuer_id: IssuerId = Uuid,
    number: u32 = Integer,
    reason: String = Text,
    ended_at: Timestamp = Timestamptz,
});

const SUSPENDED: &str = "issuer_suspended";
const DISTRUSTED: &str = "issuer_distrusted";

impl ReadModel for IssuerEndings {
    const TABLE: Table = Table {
        name: "identity_issuer_endings",
        schema: "read",
        table: "identity_issuer_endings",
        key: &["tenant_id", "issuer_id", "number"],
        group: "issuer_id",
        resource: ("identity.issuer", "issuer_id"),
        columns: Row::COLUMNS,
        reads: &[Issuer::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Issuer>()? else { return Ok(None) };
        Ok(reason(event).map(|_| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Issuer>()? else { return Ok(()) };
        let Some(reason) = reason(event) else { return Ok(()) };
        // The number that a session remembers which begins afterwards.
        let number = rows.iter().map(|row| row.number).max().unwrap_or_default() + 1;
        rows.insert(Row {
            tenant_id: fact.tenant(),
            issuer_id: fact.stream_id()?,
            number,
            reason: reason.to_owned(),
            ended_at: fact.at(),
        });
        Ok(())
    }
}

/// Why an event ended what rests on its issuer, where it did.
fn reason(event: &Event) -> Option<&'static str> {
    match event {
        Event::Suspended { .. } => Some(SUSPENDED),
        Event::Distrusted { .. } => Some(DISTRUSTED),
        Event::Trusted { .. }
        | Event::Renamed { .. }
        | Event::TermsReplaced { .. }
        | Event::Reactivated => None,
    }
}

#[cfg(test)]
mod tests {
    use events::identity::issuer::Terms;
    use events::testing::id;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    #[test]
    fn each_end_has_the_number_that_later_sessions_remember_and_its_reason() {
        let issuer = || "https://login.example.org".to_owned();
        let trusted =
            Event::Trusted { name: "Login".into(), issuer: issuer(), terms: Terms::default() };
        let suspended = || Event::Suspended { reason: "breached".into() };
        let gone = Event::Distrusted { issuer: issuer() };
        let events = [trusted, suspended(), Event::Reactivated, suspended(), gone];
        let past = Past::default().with::<Issuer>(id::<IssuerId>(1), events);
        let rows = past.rows::<IssuerEndings>();
        let rows: Vec<Value> =
            rows.iter().map(|row| json!([row["number"], row["reason"]])).collect();
        let suspended = |number: u32| json!([number, SUSPENDED]);
        assert_eq!(rows, [suspended(1), suspended(2), json!([3, DISTRUSTED])]);
    }
}
