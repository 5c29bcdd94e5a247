//! What can be exported: the datasets that the caller may read, with their columns.

use events::Module;
use platform::dataset::{Column, Dataset, datasets as of_module};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Items, plain};
use crate::call::Call;
use crate::endpoint::Endpoint;

/// One dataset.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    name: &'static str,
    label: &'static str,
    /// The permission that reading it needs.
    permission: Option<&'static str>,
    columns: Vec<ListedColumn>,
    default_sort: &'static str,
}

/// One column of a dataset.
#[derive(Debug, Serialize, JsonSchema)]
struct ListedColumn {
    key: &'static str,
    label: &'static str,
    kind: &'static str,
    filterable: bool,
    sortable: bool,
    /// Left out of exports unless asked for by name.
    sensitive: bool,
}

pub(super) fn datasets() -> Endpoint {
    let route = Route::get("/exports/datasets", Module::Exports, "exports_datasets")
        .summary("What the caller may list and export, column by column")
        .answers::<Items<Listed>>(200);
    Endpoint::new(route, |call: Call| async move {
        let all = Module::ALL.iter().flat_map(|module| of_module(*module));
        let seen = all.filter(|dataset| dataset.permission.is_none_or(|need| call.permits(need)));
        Ok(plain(&Items { items: seen.map(listed).collect() }))
    })
}

fn listed(dataset: &Dataset) -> Listed {
    let column = |column: &Column| ListedColumn {
        key: column.key,
        label: column.label,
        kind: column.kind.into(),
        filterable: column.filterable,
        sortable: column.sortable,
        sensitive: column.sensitive,
    };
    Listed {
        name: dataset.name,
        label: dataset.label,
        permission: dataset.permission.map(events::Permission::name),
        columns: dataset.columns.iter().map(column).collect(),
        default_sort: dataset.default_sort,
    }
}
