//! Routes of report templates, and what a request for a file takes from one.

use std::sync::Arc;

use events::exports::export::{Options, Sort};
use events::exports::template::{Command, Revise, Template};
use events::exports::{Layout, Report};
use events::{Module, Permission, TemplateId, TenantId, UserId};
use futures::future::BoxFuture;
use platform::clock;
use platform::dataset::Query;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Ask, known};
use crate::app::App;
use crate::pipeline::{Ask as Asking, Target};
use crate::registry::{Call, Nothing, Registry};

/// A template to define.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTemplate {
    /// The template's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<TemplateId>,
    /// What people call it; no two of an organisation are called the same.
    name: String,
    /// The dataset, as `GET /exports/datasets` lists them.
    dataset: String,
    /// The columns in the order of the file.
    columns: Vec<String>,
    /// Which rows, in the filter grammar.
    #[serde(default)]
    filter: Option<String>,
    /// The order, for example `-created_at,id`; that of the dataset when absent.
    #[serde(default)]
    sort: Option<String>,
    /// What stands above the rows and in the file's name.
    #[serde(default)]
    title: Option<String>,
    /// Language and region of numbers and dates.
    #[serde(default)]
    locale: Option<String>,
    /// Time zone of moments.
    #[serde(default)]
    time_zone: Option<String>,
    /// How pages look, where a file has some.
    #[serde(default)]
    layout: Layout,
    /// How files are made, where they shall be otherwise than usual.
    #[serde(default)]
    options: Options,
}

/// What is to change; what is absent stays, and an empty text takes away what was there.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revision {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// The columns in the order of the file.
    #[serde(default)]
    columns: Option<Vec<String>>,
    /// Which rows, in the filter grammar.
    #[serde(default)]
    filter: Option<String>,
    /// The order, for example `-created_at,id`.
    #[serde(default)]
    sort: Option<String>,
    /// What stands above the rows and in the file's name.
    #[serde(default)]
    title: Option<String>,
    /// Language and region of numbers and dates.
    #[serde(default)]
    locale: Option<String>,
    /// Time zone of moments.
    #[serde(default)]
    time_zone: Option<String>,
    /// How pages look, where a file has some; all of it.
    #[serde(default)]
    layout: Option<Layout>,
    /// How files are made, where they shall be otherwise than usual; all of it.
    #[serde(default)]
    options: Option<Options>,
    /// The dataset of the template, which stays.
    #[serde(skip)]
    dataset: Option<String>,
}

const TEMPLATE: &str = "/exports/templates/{template_id}";

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::ExportsTemplatesManage);
    let module = Module::Exports;
    registry.command::<NewTemplate, Template>(
        manage(Route::post("/exports/templates", module, "exports_template_define"))
            .summary("keep what a report shows under a name")
            .answers::<()>(201),
        define,
    );
    registry.checked::<Revision, Template>(
        manage(Route::patch(TEMPLATE, module, "exports_template_revise"))
            .summary("change a template; files that were asked for stay as they are"),
        look_up,
        |call| target(call, Command::Revise(revise(call)?)),
    );
    registry.command::<Nothing, Template>(
        manage(Route::delete(TEMPLATE, module, "exports_template_retire"))
            .summary("retire a template; nobody makes files by it any more"),
        |call| target(call, Command::Retire),
    );
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Template>, Problem> {
    let id: TemplateId = call.id("template_id")?;
    Ok(Target::new(id, command))
}

fn define(call: &Call<NewTemplate>) -> Result<Target<Template>, Problem> {
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let question = Question {
        columns: Some(&body.columns),
        filter: body.filter.as_deref(),
        sort: body.sort.as_deref(),
    };
    let sort = question.order(&body.dataset, call.principal.user())?;
    let report = Report {
        dataset: body.dataset,
        columns: body.columns,
        filter: body.filter,
        sort: sort.unwrap_or_default(),
        title: body.title,
        locale: body.locale,
        time_zone: body.time_zone,
        layout: body.layout,
        options: body.options,
    };
    let command = Command::Define { name: body.name, report };
    Ok(Target::create(id, command).at("/exports/templates/{id}"))
}

fn revise(call: &Call<Revision>) -> Result<Revise, Problem> {
    let (body, me) = (call.body.clone(), call.principal.user());
    let question = Question {
        columns: body.columns.as_deref(),
        filter: body.filter.as_deref(),
        sort: body.sort.as_deref(),
    };
    // Of a template that is not there, its rules tell.
    let sort = body.dataset.as_deref().map(|dataset| question.order(dataset, me)).transpose()?;
    Ok(Revise {
        name: body.name,
        columns: body.columns,
        filter: body.filter,
        sort: sort.flatten(),
        title: body.title,
        locale: body.locale,
        time_zone: body.time_zone,
        layout: body.layout,
        options: body.options,
    })
}

/// The part of a report that a dataset has to be able to answer.
struct Question<'a> {
    columns: Option<&'a [String]>,
    filter: Option<&'a str>,
    sort: Option<&'a str>,
}

impl Question<'_> {
    /// The order as it is stored, where one is given; refuses what the dataset cannot answer.
    fn order(&self, dataset: &str, me: Option<UserId>) -> Result<Option<Vec<Sort>>, Problem> {
        let dataset = known(dataset)?;
        let mut query =
            Query::everything(dataset)?.filtered(dataset, self.filter.unwrap_or_default(), me)?;
        if let Some(columns) = self.columns {
            query = query.only(dataset, columns.iter().map(String::as_str))?;
        }
        let Some(sort) = self.sort.filter(|sort| !sort.is_empty()) else {
            return Ok(self.sort.map(|_| Vec::new()));
        };
        let query = query.sorted(dataset, sort)?;
        let sort = query
            .sort
            .iter()
            .map(|sort| Sort { column: sort.column.key.to_owned(), descending: sort.descending });
        Ok(Some(sort.collect()))
    }
}

/// Finds out the dataset of the template, which the revision has to fit.
fn look_up<'a>(
    app: &'a Arc<App>,
    _: &'a Asking,
    call: &'a mut Call<Revision>,
) -> BoxFuture<'a, Result<(), Problem>> {
    Box::pin(async move {
        let id: TemplateId = call.id("template_id")?;
        let template = app.aggregates.get::<Template>(call.tenant(), &id.to_string()).await;
        let template = template.map_err(|error| Problem::internal(&error))?;
        call.body.dataset = (template.version > 0).then(|| template.state.report.dataset.clone());
        Ok(())
    })
}

/// Takes from the template what the request does not say itself. A template that is not there, or is retired, is for the rules of
/// Takes from the template of a request what it does not say itself.
pub(super) async fn fill(app: &App, tenant: TenantId, ask: &mut Ask) -> Result<(), Problem> {
    let Some(id) = ask.template_id else { return Ok(()) };
    let template = app.aggregates.refresh::<Template>(tenant, &id.to_string()).await;
    let template = template.map_err(|error| Problem::internal(&error))?;
    if template.version == 0 {
        let detail = "template_id names no template; choose one of GET /exports/templates";
        return Err(Problem::invalid("/template_id", "EXPORT_TEMPLATE_UNKNOWN", detail));
    }
    take(ask, &template.state.report)
}

fn take(ask: &mut Ask, report: &Report) -> Result<(), Problem> {
    if ask.dataset.as_ref().is_some_and(|dataset| *dataset != report.dataset) {
        let detail = format!("the template is of {}; leave dataset out", report.dataset);
        return Err(Problem::invalid("/dataset", "TEMPLATE_OF_ANOTHER_DATASET", detail));
    }
    let text = |said: Option<String>, otherwise: Option<&str>| {
        said.or_else(|| otherwise.map(str::to_owned)).filter(|text| !text.is_empty())
    };
    ask.dataset = Some(report.dataset.clone());
    if ask.columns.is_empty() {
        ask.columns.clone_from(&report.columns);
    }
    ask.filter = text(ask.filter.take(), report.filter.as_deref());
    ask.title = text(ask.title.take(), report.title.as_deref());
    ask.locale = text(ask.locale.take(), report.locale.as_deref());
    ask.time_zone = text(ask.time_zone.take(), report.time_zone.as_deref());
    ask.options = ask.options.take().or_else(|| Some(report.options.clone()));
    ask.layout = ask.layout.take().or_else(|| Some(report.layout.clone()));
    if ask.sort.is_none() && !report.sort.is_empty() {
        ask.sort = Some(written(report)?);
    }
    Ok(())
}

/// The order as `sort=` has it, without the dataset's own key at the end, which every question adds by itself.
pub(super) fn written(report: &Report) -> Result<String, Problem> {
    Ok(platform::dataset::order(
        known(&report.dataset)?,
        report.sort.iter().map(|sort| (sort.column.as_str(), sort.descending)),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Report {
        Report {
            dataset: "identity.users".into(),
            columns: vec!["handle".into()],
            filter: Some("status = \"active\"".into()),
            sort: vec![
                Sort { column: "handle".into(), descending: true },
                Sort { column: "user_id".into(), descending: true },
            ],
            title: Some("People".into()),
            locale: Some("de-CH".into()),
            time_zone: Some("Europe/Zurich".into()),
            layout: Layout { footer: Some("Acme".into()), ..Layout::default() },
            options: Options { cover: Some(true), ..Options::default() },
        }
    }

    fn taken(ask: serde_json::Value) -> Ask {
        let mut ask = serde_json::from_value(ask).unwrap();
        take(&mut ask, &report()).unwrap();
        ask
    }

    #[test]
    fn what_a_request_does_not_say_is_as_in_its_template() {
        let ask = taken(json!({}));
        assert_eq!(ask.dataset.as_deref(), Some("identity.users"));
        assert_eq!((ask.columns, ask.filter), (vec!["handle".to_owned()], report().filter));
        assert_eq!(ask.sort.as_deref(), Some("-handle"));
        assert_eq!((ask.title, ask.locale), (report().title, report().locale));
        assert_eq!((ask.time_zone, ask.layout), (report().time_zone, Some(report().layout)));
        assert_eq!(ask.options, Some(report().options));
    }

    #[test]
    fn what_a_request_says_wins_over_its_template() {
        let ask = taken(json!({"dataset": "identity.users", "columns": ["email"], "filter": "",
            "sort": "email", "title": "Reachable", "locale": "en", "layout": {}, "options": {}}));
        assert_eq!((ask.columns, ask.filter), (vec!["email".to_owned()], None));
        assert_eq!((ask.sort.as_deref(), ask.title.as_deref()), (Some("email"), Some("Reachable")));
        assert_eq!((ask.locale.as_deref(), ask.layout), (Some("en"), Some(Layout::default())));
        assert_eq!((ask.time_zone, ask.options), (report().time_zone, Some(Options::default())));
        let mut other = serde_json::from_value(json!({"dataset": "rbac.roles"})).unwrap();
        assert_eq!(take(&mut other, &report()).unwrap_err().code, "TEMPLATE_OF_ANOTHER_DATASET");
    }
}
