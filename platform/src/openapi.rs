//! The OpenAPI 3.1 document of an API, made from the routes it declares.

use std::collections::BTreeMap;

use axum::http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::routes::{Access, Route};

/// The document of the API called `title`.
pub fn document(title: &str, description: &str, routes: &[Route]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        paths.entry(format!("/api/v1{}", route.path)).or_default().insert(
            route.method.as_str().to_lowercase(),
            operation(route, &mut generator, &problem),
        );
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": title, "description": description, "version": env!("CARGO_PKG_VERSION"),
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"api_key": []}],
        "tags": tags(routes),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "annals-key",
                            "description": "an API key, within its scope"},
                "bootstrap": {"type": "http", "scheme": "bearer",
                              "description": "the installation's bootstrap token"},
            },
        },
    });
    if routes.iter().any(is_keyed) {
        document["components"]["headers"] = headers();
    }
    document
}

fn tags(routes: &[Route]) -> Vec<Value> {
    let mut names: Vec<&str> = routes.iter().map(|route| route.module.name()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn operation(route: &Route, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".into(), route.operation.into());
    operation.insert("summary".into(), route.summary.into());
    operation.insert("tags".into(), json!([route.module.name()]));
    match route.access {
        Access::Public => drop(operation.insert("security".into(), json!([]))),
        Access::Bootstrap => drop(operation.insert("security".into(), json!([{"bootstrap": []}]))),
        Access::SignedIn | Access::Needs(_) => {}
        Access::InUnit(_) => drop(operation.insert("x-policy".into(), "unit".into())),
        Access::Shared(_) => drop(operation.insert("x-policy".into(), "shared".into())),
        Access::InPerson(_) => drop(operation.insert("security".into(), json!([{"bearer": []}]))),
    }
    if let Some(permission) = route.access.permission() {
        operation.insert("x-permission".into(), permission.name().into());
    }
    if let Some(deprecated) = route.deprecated {
        operation.insert("deprecated".into(), true.into());
        operation.insert("x-successor".into(), format!("/api/v1{}", deprecated.successor).into());
        operation.insert("x-sunset".into(), deprecated.sunset.into());
    }
    if let Some(path) = route.alias_of {
        operation.insert("x-alias-of".into(), format!("/api/v1{path}").into());
    }
    if let Some(quota) = route.quota {
        let limit = json!({"policy": quota.name, "most": quota.most, "seconds": quota.seconds});
        operation.insert("x-rate-limit".into(), limit);
    }
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    if let Some(request) = route.request {
        let schema = request(generator).to_value();
        operation.insert(
            "requestBody".into(),
            json!({"required": true, "content": {route.request_media_type: {"schema": schema}}}),
        );
    }
    operation.insert("responses".into(), responses(route, generator, problem));
    Value::Object(operation)
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
    });
    let others = route.parameters.iter().map(|parameter| {
        let required = route.needs_version && parameter.name == "If-Match";
        json!({"name": parameter.name, "in": parameter.place, "required": required,
               "description": parameter.description, "schema": {"type": type_of(parameter.name)}})
    });
    in_path.chain(others).collect()
}

/// What a parameter is; the same name means the same everywhere.
fn type_of(name: &str) -> &'static str {
    match name {
        "validate_only" => "boolean",
        "limit" | "at_version" => "integer",
        _ => "string",
    }
}

/// Whether it is a command that is the same one under the same key.
fn is_keyed(route: &Route) -> bool {
    asks(route, "Idempotency-Key")
}

fn asks(route: &Route, name: &str) -> bool {
    route.parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

/// What the header of an answer to a command says.
const HEADERS: [(&str, &str); 9] = [
    ("ETag", "the version of the record now, for `If-Match`"),
    ("Aggregate-Version", "the same as a number"),
    ("Consistency-Token", "brings a query to show at least what this answer tells of"),
    ("Location", "where the result can be queried, or its job"),
    ("Idempotent-Replayed", "`true` when the key was used before, and this is the answer of then"),
    ("Preference-Applied", "what was followed of `Prefer`"),
    ("RateLimit", "what is left of the limits"),
    ("RateLimit-Policy", "the limits"),
    ("Request-Id", "the request that is answered"),
];

fn headers() -> Value {
    let header = |(name, description): &(&str, &str)| {
        let value = json!({"description": description, "schema": {"type": "string"}});
        ((*name).to_owned(), value)
    };
    Value::Object(HEADERS.iter().map(header).collect())
}

/// References to all of them.
fn every_header() -> Value {
    let reference = |(name, _): &(&str, &str)| {
        ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))
    };
    Value::Object(HEADERS.iter().map(reference).collect())
}

fn responses(route: &Route, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let mut success = json!({ "description": "success" });
    if let Some(response) = route.response {
        let schema = response(generator).to_value();
        success["content"] = json!({ route.media_type: { "schema": schema } });
    }
    if is_keyed(route) {
        success["headers"] = every_header();
    }
    let mut responses = json!({
        "200": success,
        route.status.to_string(): success,
        "default": {
            "description": "a problem (RFC 9457)",
            "content": {"application/problem+json": {"schema": problem}},
        },
    });
    if route.status != 200 {
        responses["200"]["description"] = "it was so already, or the key was used before".into();
    }
    if route.method == Method::GET && asks(route, "If-None-Match") {
        responses["304"] = json!({ "description": "the client has the present version" });
    }
    if is_keyed(route) && asks(route, "Prefer") && route.status == 200 {
        let description = "it is done, and the client can do without the body";
        responses["204"] = json!({ "description": description, "headers": every_header() });
    }
    if route.works {
        let mut begun = success;
        begun["description"] = "it has begun; `Location` is the address of its job".into();
        responses["202"] = begun;
    }
    responses
}
