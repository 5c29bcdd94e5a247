//! Reports of the trail: exports of it like of any dataset, asked for by range.

use events::exports::export::{Export, Format};
use events::{ExportId, Module, Permission};
use jiff::Timestamp;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exports::{self, Ask};
use crate::identity::{default_locale, default_time_zone};
use crate::pipeline::Target;
use crate::registry::{Call, Registry};

/// A report of the trail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Report {
    /// The export's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<ExportId>,
    /// What happened then or later; from the beginning when absent.
    #[serde(default)]
    from: Option<Timestamp>,
    /// What happened before; up to now when absent.
    #[serde(default)]
    to: Option<Timestamp>,
    /// Which entries besides, in the filter grammar.
    #[serde(default)]
    filter: Option<String>,
    /// What kind of file.
    format: Format,
    /// What stands above the rows and in the file's name.
    #[serde(default = "default_title")]
    title: String,
    /// Language and region of numbers and dates.
    #[serde(default = "default_locale")]
    locale: String,
    /// Time zone of moments.
    #[serde(default = "default_time_zone")]
    time_zone: String,
}

fn default_title() -> String {
    "Audit report".to_owned()
}

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Report, Export>(
        Route::post("/audit-logs/report", Module::Audit, "audit_trail_report")
            .summary("make a file of the trail; follow it as an export, and fetch it as one")
            .needs(Permission::AuditTrailRead)
            .limited(exports::FILES)
            .works()
            .answers::<()>(201),
        report,
    );
}

fn report(call: &Call<Report>) -> Result<Target<Export>, Problem> {
    let body = &call.body;
    if let (Some(from), Some(to)) = (body.from, body.to)
        && from >= to
    {
        let detail = "to must be later than from; exchange them";
        return Err(Problem::invalid("/to", "RANGE_INVALID", detail));
    }
    let filter = filter(body);
    let ask = Ask {
        id: body.id,
        template_id: None,
        dataset: Some("audit.trail".to_owned()),
        columns: Vec::new(),
        filter: (!filter.is_empty()).then_some(filter),
        sort: Some("tenant_seq".to_owned()),
        title: Some(body.title.clone()),
        locale: Some(body.locale.clone()),
        time_zone: Some(body.time_zone.clone()),
        layout: None,
        options: None,
        deliver: None,
    };
    let mut target = exports::request(&call.principal, &ask, body.format)?;
    target.needs.push(Permission::ExportsFilesRequest);
    Ok(target)
}

/// Range and filter as one filter.
fn filter(report: &Report) -> String {
    let from = report.from.map(|from| format!("at >= \"{from}\""));
    let to = report.to.map(|to| format!("at < \"{to}\""));
    let also = report.filter.as_ref().filter(|text| !text.trim().is_empty());
    let also = also.map(|text| format!("({text})"));
    [from, to, also].into_iter().flatten().collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use platform::dataset::{self, Query};
    use serde_json::json;

    use super::*;

    fn asked(body: serde_json::Value) -> String {
        filter(&serde_json::from_value(body).unwrap())
    }

    #[test]
    fn range_and_filter_are_one_filter_of_the_grammar() {
        assert_eq!(asked(json!({"format": "pdf"})), "");
        let whole = asked(json!({
            "format": "csv", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z",
            "filter": "status = denied OR status = failed",
        }));
        assert_eq!(
            whole,
            "at >= \"2026-01-01T00:00:00Z\" AND at < \"2026-02-01T00:00:00Z\" \
             AND (status = denied OR status = failed)"
        );
        let trail = dataset::find("audit.trail").unwrap();
        Query::everything(trail).unwrap().filtered(trail, &whole, None).unwrap();
    }

    #[test]
    fn a_filter_cannot_reach_out_of_its_brackets() {
        let filter = asked(json!({
            "format": "csv", "to": "2026-02-01T00:00:00Z", "filter": "module = x) OR (module = y",
        }));
        let trail = dataset::find("audit.trail").unwrap();
        // Whatever comes of it: the caller may see the whole trail, and the range is theirs to choose.
        assert!(Query::everything(trail).unwrap().filtered(trail, &filter, None).is_err());
    }
}
