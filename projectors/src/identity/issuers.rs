//! The issuers that organisations trust, one row each.

use events::identity::issuer::{Algorithm, Event, Issuer, Mapping, Terms};
use events::{Decider as _, IssuerId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Issuers;

row!(Row {
    tenant_id: TenantId = Uuid,
    issuer_id: IssuerId = Uuid,
    name: String = Text,
    issuer: String = Text,
    audiences: Vec<String> = Jsonb,
    algorithms: Vec<Algorithm> = Jsonb,
    jwks_uri: Option<String> = Text,
    mapping: Mapping = Text,
    email_domains: Vec<String> = Jsonb,
    joins: bool = Boolean,
    status: String = Text,
    suspended_at: Option<Timestamp> = Timestamptz,
    suspension_reason: Option<String> = Text,
    distrusted_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

const TRUSTED: &str = "trusted";
const SUSPENDED: &str = "suspended";
const DISTRUSTED: &str = "distrusted";

impl ReadModel for Issuers {
    const TABLE: Table = Table {
        name: "identity_issuers",
        schema: "read",
        table: "identity_issuers",
        key: &["tenant_id", "issuer_id"],
        group: "issuer_id",
        resource: ("identity.issuer", "issuer_id"),
        columns: Row::COLUMNS,
        reads: &[Issuer::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Issuer>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Issuer>()? else { return Ok(()) };
        if let Event::Trusted { name, issuer, terms } = event {
            rows.insert(begun(fact, (name, issuer), terms.clone())?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("issuer", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Trusted { .. } => {}
            Event::Renamed { name } => row.name.clone_from(name),
            Event::TermsReplaced { terms } => replace(row, terms.clone()),
            Event::Suspended { reason } => {
                row.status = SUSPENDED.into();
                row.suspended_at = Some(fact.at());
                row.suspension_reason = Some(reason.clone());
            }
            Event::Reactivated => {
                row.status = TRUSTED.into();
                row.suspended_at = None;
                row.suspension_reason = None;
            }
            Event::Distrusted { .. } => {
                row.status = DISTRUSTED.into();
                row.distrusted_at = Some(fact.at());
            }
        }
        Ok(())
    }
}

fn begun(fact: &Fact, (name, issuer): (&str, &str), terms: Terms) -> Result<Row, FoldError> {
    let Terms { audiences, algorithms, jwks_uri, mapping, email_domains, joins } = terms;
    Ok(Row {
        tenant_id: fact.tenant(),
        issuer_id: fact.stream_id()?,
        name: name.to_owned(),
        issuer: issuer.to_owned(),
        audiences,
        algorithms,
        jwks_uri,
        mapping,
        email_domains,
        joins,
        status: TRUSTED.into(),
        suspended_at: None,
        suspension_reason: None,
        distrusted_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    })
}

fn replace(row: &mut Row, terms: Terms) {
    let Terms { audiences, algorithms, jwks_uri, mapping, email_domains, joins } = terms;
    row.audiences = audiences;
    row.algorithms = algorithms;
    row.jwks_uri = jwks_uri;
    row.mapping = mapping;
    row.email_domains = email_domains;
    row.joins = joins;
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn terms(algorithm: Algorithm) -> Terms {
        Terms {
            audiences: vec!["annals".into()],
            algorithms: vec![algorithm],
            jwks_uri: None,
            mapping: Mapping::VerifiedEmail,
            email_domains: vec!["acme.example".into()],
            joins: true,
        }
    }

    fn after(events: impl IntoIterator<Item = Event>) -> serde_json::Value {
        let trusted = Event::Trusted {
            name: "Acme".into(),
            issuer: "https://login.acme.example".into(),
            terms: terms(Algorithm::RS256),
        };
        let events = [trusted].into_iter().chain(events);
        Past::default().with::<Issuer>(id::<IssuerId>(9), events).row::<Issuers>()
    }

    #[test]
    fn an_issuer_shows_which_of_its_tokens_count() {
        let row = after([]);
        assert_eq!(row["status"], "trusted");
        assert_eq!(row["mapping"], "verified_email");
        assert_eq!(row["algorithms"], json!(["RS256"]));
        let row = after([Event::TermsReplaced { terms: terms(Algorithm::EdDsa) }]);
        assert_eq!((&row["algorithms"], &row["version"]), (&json!(["EdDSA"]), &json!(2)));
        assert_eq!(after([Event::Renamed { name: "B".into() }])["name"], "B");
    }

    #[test]
    fn an_issuer_shows_where_the_trust_in_it_stands() {
        let suspended = || Event::Suspended { reason: "breached".into() };
        let row = after([suspended()]);
        assert_eq!(
            (&row["status"], &row["suspension_reason"]),
            (&json!("suspended"), &json!("breached"))
        );
        let row = after([suspended(), Event::Reactivated]);
        assert_eq!((&row["status"], &row["suspended_at"]), (&json!("trusted"), &json!(null)));
        let row = after([Event::Distrusted { issuer: "https://login.acme.example".into() }]);
        assert_eq!(
            (&row["status"], &row["distrusted_at"]),
            (&json!("distrusted"), &json!("2026-01-01T12:00:02Z"))
        );
    }
}
