//! The file of an export as the answer to a question about it, for whoever names its kind in `Accept`. The right to it is asked as for a
//! link, and the reading is recorded as one of the rows that are in it.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use events::exports::export::Export;
use platform::access::Places;
use platform::clock;
use platform::dataset::{self, Dataset};
use platform::problem::Problem;

use super::download::{another_kind, media_type};
use crate::call::Call;
use crate::item::row;
use crate::served::Content;

/// Whatever the file is.
const ANY_FILE: &str = "application/octet-stream";

/// The kinds of files among what a client accepts, unless it would rather have JSON.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Vec<String>> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = Vec::new();
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let kind = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| matches!(part.as_str(), "q=0" | "q=0.0" | "q=0.00"));
        match kind.as_str() {
            "application/json" if !is_refused => return None,
            kind if !is_refused && is_file(kind) => kinds.push(kind.to_owned()),
            _ => {}
        }
    }
    (!kinds.is_empty()).then_some(kinds)
}

fn is_file(kind: &str) -> bool {
    let known = ["csv", "xlsx", "pdf", "ndjson", "parquet"];
    kind == ANY_FILE || known.iter().any(|ending| essence(media_type(ending)) == kind)
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default()
}

/// The bytes of the file, or the range of them that is asked for.
pub(super) async fn answer(call: &Call, wanted: &[String]) -> Result<Response, Problem> {
    call.only_parameters(&[])?;
    let id = call.segment("id");
    // Whoever sees the export is its requester, or somebody who is told of it, or may see everybody's.
    row(call, crate::shape::dataset("exports.exports"), id, "export").await?;
    let export = call.aggregate::<Export>(id).await?;
    let file = export.state.downloadable(clock::now());
    let file = file.map_err(|rejection| {
        Problem::conflict(events::Rejection::code(&rejection), rejection.to_string())
    })?;
    let dataset = dataset::find(&export.state.dataset);
    if let Some(dataset) = dataset {
        check(call, dataset, &file.units.iter().copied().collect()).await?;
    }
    let kind = media_type(&file.file_name);
    if !wanted.iter().any(|wanted| wanted == ANY_FILE || wanted == essence(kind)) {
        let detail = format!("the file is {kind}; name that in Accept, or {ANY_FILE}");
        return Err(another_kind(detail));
    }
    let content = Content {
        name: &file.file_name,
        media_type: kind,
        sha256: &file.sha256,
        size_bytes: file.size_bytes,
        shown: false,
    };
    let place = (call.tenant(), file.file_id);
    let response = content.serve(&call.app, place, &call.headers).await?;
    if let Some(dataset) = dataset {
        let rows = usize::try_from(file.rows).unwrap_or(usize::MAX);
        call.app.reads.note(call.by(), dataset.name, &format!("in the file of export {id}"), rows);
    }
    Ok(response)
}

/// Whether the caller may still see rows of the dataset wherever those of the file are.
async fn check(
    call: &Call,
    dataset: &'static Dataset,
    units: &BTreeSet<events::UnitId>,
) -> Result<(), Problem> {
    let Some(needed) = dataset.permission else { return Ok(()) };
    let is_seen = match call.places_of(needed).await? {
        Places::Everywhere => true,
        Places::In(seen) => !units.is_empty() && units.is_subset(&seen),
        Places::Nowhere => false,
    };
    if is_seen { Ok(()) } else { Err(platform::access::lacking(&call.principal, needed)) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &'static str) -> Option<Vec<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        wanted(&headers)
    }

    #[test]
    fn the_file_is_the_answer_only_for_whoever_names_its_kind() {
        for json in
            ["*/*", "application/json", "application/json, text/csv", "text/html", "text/csv;q=0"]
        {
            assert_eq!(of(json), None, "{json}");
        }
        assert_eq!(wanted(&HeaderMap::new()), None);
        assert_eq!(of("Text/CSV; charset=utf-8, */*"), Some(vec!["text/csv".into()]));
        assert_eq!(of("application/octet-stream"), Some(vec![ANY_FILE.into()]));
    }
}
