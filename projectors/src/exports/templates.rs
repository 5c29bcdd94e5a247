//! The templates of reports, one row each.

use events::exports::export::{Options, Sort};
use events::exports::template::{Event, Template};
use events::exports::{Layout, Report};
use events::{Decider as _, TemplateId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Templates;

row!(Row {
    tenant_id: TenantId = Uuid,
    template_id: TemplateId = Uuid,
    name: String = Text,
    dataset: String = Text,
    columns: Vec<String> = Jsonb,
    filter: Option<String> = Text,
    sort: Vec<Sort> = Jsonb,
    title: Option<String> = Text,
    locale: Option<String> = Text,
    time_zone: Option<String> = Text,
    layout: Layout = Jsonb,
    status: String = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    options: Options = Jsonb,
});

impl ReadModel for Templates {
    const TABLE: Table = Table {
        name: "exports_templates",
        schema: "read",
        table: "exports_templates",
        key: &["tenant_id", "template_id"],
        group: "template_id",
        resource: ("exports.template", "template_id"),
        columns: Row::COLUMNS,
        reads: &[Template::TYPE],
    };
    const BUILD: i32 = 2;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Template>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Template>()? else { return Ok(()) };
        if let Event::Defined { name, report } = event {
            rows.insert(defined(name, report, fact)?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("template", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Defined { .. } => {}
            Event::Renamed { name, .. } => row.name.clone_from(name),
            Event::Revised { report } => {
                let Report {
                    dataset,
                    columns,
                    filter,
                    sort,
                    title,
                    locale,
                    time_zone,
                    layout,
                    options,
                } = report.clone();
                (row.dataset, row.columns, row.filter, row.sort) = (dataset, columns, filter, sort);
                (row.title, row.locale, row.time_zone) = (title, locale, time_zone);
                (row.layout, row.options) = (layout, options);
            }
            Event::Retired { .. } => row.status = "retired".into(),
        }
        Ok(())
    }
}

fn defined(name: &str, report: &Report, fact: &Fact) -> Result<Row, FoldError> {
    let Report { dataset, columns, filter, sort, title, locale, time_zone, layout, options } =
        report.clone();
    Ok(Row {
        tenant_id: fact.tenant(),
        template_id: fact.stream_id()?,
        name: name.to_owned(),
        dataset,
        columns,
        filter,
        sort,
        title,
        locale,
        time_zone,
        layout,
        status: "defined".into(),
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
        options,
    })
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_template_shows_what_its_files_show_now() {
        let report = |title: &str| Report {
            dataset: "rbac.roles".into(),
            columns: vec!["name".into()],
            title: Some(title.into()),
            layout: Layout { footer: Some("Acme".into()), ..Layout::default() },
            ..Report::default()
        };
        let events = [
            Event::Defined { name: "Roles".into(), report: report("Roles") },
            Event::Renamed { previous: "Roles".into(), name: "Rollen".into() },
            Event::Revised { report: report("Rollen") },
            Event::Retired { name: "Rollen".into() },
        ];
        let row = Past::default().with::<Template>(id::<TemplateId>(9), events).row::<Templates>();
        assert_eq!((&row["name"], &row["title"]), (&json!("Rollen"), &json!("Rollen")));
        assert_eq!((&row["status"], &row["version"]), (&json!("retired"), &json!(4)));
        assert_eq!(row["layout"], json!({"footer": "Acme"}));
    }
}
