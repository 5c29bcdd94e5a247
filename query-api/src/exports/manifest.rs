//! What a finished file is and is made of, with the signature by which anybody can verify it without us.

use events::Module::Exports;
use events::exports::export::Export;
use platform::problem::Problem;
use platform::routes::Route;
use platform::transparency::manifest::{self, Manifest};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::row;
use crate::shape::{dataset, row_of, single};

/// A manifest and its signature.
#[derive(Debug, Serialize, JsonSchema)]
struct Served {
    /// What the file is and is made of.
    manifest: Manifest,
    /// The same as a signed note (C2SP signed-note), with a key of `GET /audit/keys`; `annals verify` reads both.
    signed: String,
}

pub(super) fn manifest() -> Endpoint {
    let route = Route::get("/exports/{id}/manifest", Exports, "exports_manifest").summary(
        "What the file of an export is and is made of, signed; also after the file has expired",
    );
    let route = single(route, "exports.exports", |g| row_of(g, "exports.exports"));
    let route = route.parameters(&[]).answers::<Stamped<Served>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let id = call.segment("id");
        // Whoever sees the export sees its manifest.
        let (asked, ..) = row(&call, dataset("exports.exports"), id, "export").await?;
        let export = call.aggregate::<Export>(id).await?;
        let signed = export.state.manifest.clone().ok_or_else(|| Problem::absent("manifest"))?;
        let manifest = manifest::open(&signed, &[]).map_err(|error| Problem::internal(&error))?;
        Ok(stamped(&call, &asked, Served { manifest, signed }))
    })
}
