//! The JSON Schemas of answers that are rows of datasets, made from the datasets themselves.

use platform::dataset::{Column, Dataset, Kind, Units, find};
use platform::routes::{Access, Parameter, Route, SchemaOf};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::ask::AsOf;
use crate::endpoint::EXACT;
use crate::paging::Page;

/// The parameters of every list.
pub(crate) const LIST: &[Parameter] = &[
    query("filter", "which rows, for example `status=\"open\" AND created_at>now-7d`"),
    query("sort", "in which order, for example `-created_at,handle`"),
    query("fields", "which columns, separated by commas"),
    query("limit", "rows of a page: 50 unless told, at most 500"),
    AFTER,
    query("count", "`none`, `estimate` or `exact`"),
    AT,
    KNOWN,
    TOKEN,
    PREFER,
];
/// The parameters of every item.
pub(crate) const ITEM: &[Parameter] = &[FIELDS, AT, KNOWN, TOKEN, PREFER];
/// The parameters of every item that can be seen as it was.
pub(crate) const PAST_ITEM: &[Parameter] = &[FIELDS, AT, KNOWN, TOKEN, PREFER, AS_OF, AT_VERSION];
/// The parameters of what is read from the log and can be waited for.
pub(crate) const WAITING: &[Parameter] = &[KNOWN, PREFER];
/// The moment in the past to which an answer refers.
pub(crate) const AS_OF: Parameter =
    query("as_of", "as it was at a position of the log or an RFC 3339 time that has passed");
/// The version in the past to which an answer refers.
pub(crate) const AT_VERSION: Parameter = query("at_version", "as it was at this version");
/// The position at which a list or an item must stand.
pub(crate) const AT: Parameter = query(
    EXACT,
    "answer only where the read models stand at exactly this position of the log; 412 says where they do, for they keep no history",
);
/// Which page of a list.
pub(crate) const AFTER: Parameter =
    query("after", "the cursor of another page, from `page.next` or `page.prev`");
const FIELDS: Parameter = query("fields", "which columns, separated by commas");
/// The answer that the client has.
pub(crate) const KNOWN: Parameter = Parameter {
    name: "If-None-Match",
    place: "header",
    description: "the `ETag` of an answer that the client has: 304 while it holds; with `Prefer: wait=25` as soon as it no \
                  longer does, or when the time is over",
};
const TOKEN: Parameter = Parameter {
    name: "Consistency-Token",
    place: "header",
    description: "answer only when what this token stands for is reflected",
};
/// How long the client waits.
pub(crate) const PREFER: Parameter = Parameter {
    name: "Prefer",
    place: "header",
    description: "`wait=2` seconds for that at most, `handling=lenient` for a stale answer rather than none",
};

/// A query parameter.
pub(crate) const fn query(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "query", description }
}

/// Stands for a name that is not in the catalogue, which the test over all routes would find.
static EMPTY: Dataset = Dataset {
    name: "",
    label: "",
    table: "",
    projections: &[],
    permission: None,
    owner: None,
    units: None,
    columns: &[],
    key: &[],
    default_sort: "",
};

/// A dataset of the catalogue.
pub(crate) fn dataset(name: &'static str) -> &'static Dataset {
    find(name).unwrap_or(&EMPTY)
}

/// A route that answers with a page of rows.
pub(crate) fn listing(route: Route, name: &'static str, schema: SchemaOf) -> Route {
    let access = access(dataset(name));
    Route { response: Some(schema), ..route.access(access).parameters(LIST) }
}

/// A route that answers with one row.
pub(crate) fn single(route: Route, name: &'static str, schema: SchemaOf) -> Route {
    let access = access(dataset(name));
    Route { response: Some(schema), ..route.access(access).parameters(ITEM) }
}

/// Where its rows say where they belong, whoever may in a unit alone sees those of it; where they are shared, others see some as well.
fn access(dataset: &Dataset) -> Access {
    let needs = match dataset.units {
        Some(Units::OwnOrShared) => Access::Shared,
        Some(Units::Own | Units::OwnOrEvery | Units::Somebodys) => Access::InUnit,
        None => Access::Needs,
    };
    dataset.permission.map_or(Access::SignedIn, needs)
}

/// The schema of a page of rows.
pub(crate) fn page_of(generator: &mut SchemaGenerator, name: &'static str) -> Schema {
    let item = define(generator, dataset(name));
    let page = generator.subschema_for::<Page>().to_value();
    let as_of = generator.subschema_for::<AsOf>().to_value();
    schema(json!({
        "type": "object",
        "properties": {"items": {"type": "array", "items": item}, "page": page, "as_of": as_of},
        "required": ["items", "page", "as_of"],
    }))
}

/// The schema of one row.
pub(crate) fn row_of(generator: &mut SchemaGenerator, name: &'static str) -> Schema {
    let item = define(generator, dataset(name));
    let as_of = generator.subschema_for::<AsOf>().to_value();
    schema(json!({
        "allOf": [item, {"type": "object", "properties": {"as_of": as_of}, "required": ["as_of"]}],
    }))
}

/// The row's schema under the name of its dataset, and a reference to it.
fn define(generator: &mut SchemaGenerator, dataset: &Dataset) -> Value {
    let columns = dataset.columns.iter().map(|column| (column.key.to_owned(), value(column)));
    let definition = json!({
        "type": "object",
        "description": dataset.label,
        "properties": columns.collect::<Map<_, _>>(),
    });
    generator.definitions_mut().insert(dataset.name.to_owned(), definition);
    json!({"$ref": format!("#/components/schemas/{}", dataset.name)})
}

fn value(column: &Column) -> Value {
    let mut schema = match column.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Id => json!({"type": "string", "format": "uuid"}),
        Kind::Integer => json!({"type": "integer", "format": "int64"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Json => json!({}),
    };
    if let Some(members) = schema.as_object_mut() {
        if column.nullable
            && let Some(kind) = members.remove("type")
        {
            members.insert("type".into(), json!([kind, "null"]));
        }
        members.insert("description".into(), column.label.into());
    }
    schema
}

fn schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}
