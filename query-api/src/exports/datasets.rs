//! What can be exported: the datasets that the caller may read, with their columns.

use events::Module;
use events::settings::Key;
use platform::access::Places;
use platform::dataset::{Column, Dataset, datasets as of_module};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Items, plain};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::settings::held;

/// One dataset.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    name: &'static str,
    label: &'static str,
    /// The permission that reading it needs.
    permission: Option<&'static str>,
    columns: Vec<ListedColumn>,
    default_sort: &'static str,
    /// Rows that a file of it may be made of at most, by the setting `exports.most_rows`; one of more is not made, and says so.
    most_rows: i64,
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
        let most_rows = held(&call, Key::ExportsMostRows).await?.integer().unwrap_or_default();
        let mut items = Vec::new();
        for dataset in all {
            let places = match dataset.permission {
                Some(need) => call.places_of(need).await?,
                None => Places::Everywhere,
            };
            let seen = match places {
                Places::Everywhere => true,
                Places::In(_) => dataset.units.is_some(),
                Places::Nowhere => false,
            };
            items.extend(seen.then(|| listed(dataset, most_rows)));
        }
        Ok(plain(&Items { items }))
    })
}

fn listed(dataset: &Dataset, most_rows: i64) -> Listed {
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
        most_rows,
    }
}
