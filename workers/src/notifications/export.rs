//! What people are told of files: whoever asked for one, whom it is for, and whom it was sent to.

use events::UserId;
use events::exports::batch::{self, Batch};
use events::exports::export::{self, Export};
use events::notifications::notification::Kind;

use super::tell::{Cause, Message, first_event, message_to};
use crate::runtime::{Job, Office};

/// An export as people speak of it.
struct Named {
    requested_by: UserId,
    name: String,
    /// Whether it is one of several: then the batch is told of, and not each of its files.
    is_of_batch: bool,
}

pub(super) async fn of_export(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    let Named { requested_by, name, is_of_batch } = named(office, job, cause).await?;
    let owner = |kind, title, text| vec![message_to(requested_by, kind, title, text)];
    Ok(match serde_json::from_str(&cause.payload)? {
        export::Event::Completed(_) | export::Event::Failed { .. } if is_of_batch => Vec::new(),
        export::Event::Completed(file) => owner(
            Kind::ExportReady,
            format!("Your export “{name}” is ready"),
            format!("{} rows in {}.", file.rows, file.file_name),
        ),
        export::Event::Failed { message: reason, .. } => {
            owner(Kind::ExportFailed, format!("Your export “{name}” failed"), reason)
        }
        export::Event::Delivered { recipients, left_out } => {
            let mut messages = for_readers(office, job, cause, (&name, recipients)).await?;
            if !left_out.is_empty() {
                let title = format!("“{name}” was not sent to everybody");
                let text = format!(
                    "{} of those whom it is for may not see what is in it any more: take them off the list, or have \
                     them given the right again.",
                    left_out.len()
                );
                messages.extend(owner(Kind::ExportFailed, title, text));
            }
            messages
        }
        export::Event::Emailed { recipients, .. } => {
            for_readers(office, job, cause, (&name, recipients)).await?
        }
        export::Event::Requested { .. }
        | export::Event::Started { .. }
        | export::Event::Progressed { .. }
        | export::Event::CancelRequested
        | export::Event::Cancelled
        | export::Event::Retried { .. }
        | export::Event::Downloaded { .. }
        | export::Event::Archived { .. }
        | export::Event::Deleted { .. }
        | export::Event::Expired => Vec::new(),
    })
}

async fn named(office: &Office, job: &Job, cause: &Cause) -> anyhow::Result<Named> {
    let (first, _) = first_event(office, job, cause).await?;
    let export::Event::Requested { dataset, title, requested_by, wishes, .. } =
        serde_json::from_str(&first)?
    else {
        anyhow::bail!("the export does not begin with its request");
    };
    let label = || platform::dataset::find(&dataset).map(|dataset| dataset.label.to_owned());
    let name = title.or_else(label).unwrap_or(dataset);
    Ok(Named { requested_by, name, is_of_batch: wishes.batch_id.is_some() })
}

/// The same for everybody; nobody is told of a file that is gone already.
async fn for_readers(
    office: &Office,
    job: &Job,
    cause: &Cause,
    (name, readers): (&str, Vec<UserId>),
) -> anyhow::Result<Vec<Message>> {
    let export = office.aggregates.refresh::<Export>(job.tenant_id, &cause.stream_id).await?;
    let Some(file) = &export.state.file else { return Ok(Vec::new()) };
    let text = format!("{} rows in {}, which is there for you.", file.rows, file.file_name);
    let title = format!("The report “{name}” is ready");
    let message = |user| message_to(user, Kind::ReportReady, title.clone(), text.clone());
    Ok(readers.into_iter().map(message).collect())
}

pub(super) async fn of_batch(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Option<Message>> {
    let batch = office.aggregates.refresh::<Batch>(job.tenant_id, &cause.stream_id).await?;
    let batch = &batch.state;
    let name = batch.title.clone().unwrap_or_else(|| format!("{} files", batch.items.len()));
    let message = |kind, title, text| Some(message_to(batch.requested_by, kind, title, text));
    Ok(match serde_json::from_str(&cause.payload)? {
        batch::Event::Completed { made, failed: 0 } => message(
            Kind::ExportReady,
            format!("“{name}” is ready"),
            format!("{made} files in one archive."),
        ),
        batch::Event::Completed { made, failed } => message(
            Kind::ExportReady,
            format!("“{name}” is ready, but for {failed} of its files"),
            format!("{made} files in one archive; {failed} could not be made."),
        ),
        batch::Event::Failed { message: reason, .. } => {
            message(Kind::ExportFailed, format!("“{name}” failed"), reason)
        }
        batch::Event::Requested { .. }
        | batch::Event::Started { .. }
        | batch::Event::ItemRequested { .. }
        | batch::Event::ItemRefused { .. }
        | batch::Event::ItemFinished { .. }
        | batch::Event::Cancelled
        | batch::Event::Retried { .. }
        | batch::Event::Downloaded { .. } => None,
    })
}
