//! The committed OpenAPI document is what the routes say, and every route can be understood from it.

use std::collections::HashSet;

#[test]
fn the_committed_document_is_the_one_that_the_routes_make() {
    let document = serde_json::to_string_pretty(&command_api::openapi()).unwrap() + "\n";
    platform::testkit::committed("docs/reference/openapi-command.json", &document).unwrap();
}

#[test]
fn every_route_has_a_summary_and_an_operation_of_its_own() {
    let mut operations = HashSet::new();
    for route in command_api::routes() {
        assert!(!route.summary.is_empty(), "{} {} has no summary", route.method, route.path);
        assert!(operations.insert(route.operation), "{} is used twice", route.operation);
        assert!(
            route.operation.starts_with(route.module.name()),
            "{} names another module",
            route.operation
        );
    }
}
