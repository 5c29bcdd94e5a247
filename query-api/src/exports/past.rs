//! Exports as they were: how far each was, and the file while there was one; and templates as they were.

use ::events::exports::batch::{Batch, Known, Stage};
use ::events::exports::export::Export;
use ::events::exports::template::{Status, Template};
use ::events::job::State;
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static EXPORT: Past<Export> = Past {
    data: "exports.exports",
    what: "export",
    names: names!("/exports/{id}", "exports_export"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: export,
    masked: &[],
    owner: Some(|export| export.requested_by),
};

pub(super) static BATCH: Past<Batch> = Past {
    data: "exports.batches",
    what: "batch",
    names: names!("/exports/batch/{id}", "exports_batch"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: batch,
    masked: &[],
    owner: Some(|batch| batch.requested_by),
};

pub(super) static TEMPLATE: Past<Template> = Past {
    data: "exports.templates",
    what: "template",
    names: names!("/exports/templates/{id}", "exports_template"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: template,
    masked: &[],
    owner: None,
};

fn batch(batch: &Batch, id: &str) -> Option<Value> {
    let count = |stage| batch.items.iter().filter(|item| item.stage == stage).count();
    let item = |known: &Known| {
        json!({
            "format": known.item.format,
            "dataset": known.item.report.dataset,
            "title": known.item.report.title,
            "export_id": known.export_id,
            "stage": known.stage,
        })
    };
    (batch.job.state != State::Absent).then(|| {
        json!({
            "batch_id": id,
            "requested_by": batch.requested_by,
            "title": batch.title,
            "items": batch.items.iter().map(item).collect::<Vec<_>>(),
            "status": batch.job.state,
            "attempts": batch.job.attempts,
            "total": batch.items.len(),
            "made": count(Stage::Made),
            "failed": count(Stage::Failed),
        })
    })
}

fn template(template: &Template, id: &str) -> Option<Value> {
    let report = &template.report;
    (template.status != Status::Absent).then(|| {
        json!({
            "template_id": id,
            "name": template.name,
            "dataset": report.dataset,
            "columns": report.columns,
            "filter": report.filter,
            "sort": report.sort,
            "title": report.title,
            "locale": report.locale,
            "time_zone": report.time_zone,
            "layout": report.layout,
            "options": report.options,
            "status": template.status,
        })
    })
}

fn export(export: &Export, id: &str) -> Option<Value> {
    let (file, job) = (export.file.as_ref(), export.job);
    (job.state != State::Absent).then(|| {
        json!({
            "export_id": id,
            "requested_by": export.requested_by,
            "dataset": export.dataset,
            "status": job.state,
            "attempts": job.attempts,
            "rows_done": export.rows_done,
            "rows_total": export.rows_total,
            "file_id": file.map(|file| file.file_id),
            "file_name": file.map(|file| &file.file_name),
            "size_bytes": file.map(|file| file.size_bytes),
            "sha256": file.map(|file| &file.sha256),
            "rows": file.map(|file| file.rows),
            "as_of_position": file.map(|file| file.position),
            "expires_at": file.filter(|_| !export.archived).map(|file| file.expires_at),
            "retryable": (job.state == State::Failed).then_some(job.retryable),
        })
    })
}
