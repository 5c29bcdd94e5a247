//! Makes the file of an export: for whom, from what, into which format; and reports how it went.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use events::exports::export::{Export, Format};
use events::job::State;
use events::settings::Key;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::ToSpan;
use platform::clock;
use platform::commands::CommandError;
use platform::transparency::manifest::{AsOf, Since};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::changes::{Changes, digests_id};
use super::file::{Batch, file_name, write};
use super::logo;
use super::manifest;
use super::opening::Opened;
use super::order::{Order, Plan};
use super::refusal::Refusal;
use super::render::{self, Rendered};
use super::rows::Rows;
use crate::making::{begin, delete, file_id, let_go, post, report, state};
use crate::runtime::{Done, Job, Office, Trouble};

/// Progress is told at most this often, the first time as soon as the rows are counted.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Fetched rows that wait for the renderer.
const FETCHES_IN_FLIGHT: usize = 2;

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let export = state::<Export>(office, job).await?;
        match export.state.job.state {
            State::Absent => Err(anyhow!("there is no export {}", job.subject_id).into()),
            State::Succeeded | State::Expired => Ok(Done::Finished),
            State::Failed if !export.state.job.retryable => Ok(Done::Finished),
            State::Cancelling | State::Cancelled => {
                let_go::<Export>(office, job).await?;
                Ok(Done::Cancelled)
            }
            // A dead letter that an operator put back. The requester knows that it failed, so the next word is theirs.
            State::Failed => {
                let path = format!("POST /api/v1/exports/{}/retry", job.subject_id);
                Ok(Done::Failed(format!(
                    "the export has failed; its requester can try again: {path}"
                )))
            }
            State::Queued | State::Running => {
                Making { office, job, attempt: export.state.job.attempts + 1 }.run().await
            }
        }
    }
    .boxed()
}

pub(super) fn give_up<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let export = state::<Export>(office, job).await?;
        match export.state.job.state {
            State::Queued | State::Running => {
                let making = Making { office, job, attempt: export.state.job.attempts };
                making.fail("gave_up", "the file could not be made; try again later", true).await
            }
            State::Cancelling => let_go::<Export>(office, job).await,
            State::Absent
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired => Ok(()),
        }
    }
    .boxed()
}

/// Makes the file and throws it away.
pub(super) fn test<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let attempt = state::<Export>(office, job).await?.state.job.attempts;
        match (Making { office, job, attempt }).make().await {
            Ok(_) => Ok(Done::Finished),
            Err(Refusal::Trouble(error)) => Err(Trouble(error)),
            Err(Refusal::Stop) => Ok(Done::Cancelled),
            Err(Refusal::For(code, message)) => Ok(Done::Failed(format!("{code}: {message}"))),
        }
    }
    .boxed()
}

/// Whether a file of that kind says how many rows there are of each.
fn shows_counts(format: Format) -> bool {
    match format {
        Format::Xlsx | Format::Pdf => true,
        Format::Csv | Format::Ndjson | Format::Parquet => false,
    }
}

/// What a file is that is complete but not stored.
pub(super) struct Made {
    pub(super) rendered: Rendered,
    pub(super) name: String,
    pub(super) order: Order,
    pub(super) plan: Plan,
    /// The organisation's name.
    pub(super) organization: String,
    pub(super) as_of: AsOf,
    /// The earlier file since which only changes are in it.
    pub(super) since: Option<Since>,
}

/// Where it lies until then.
struct Unstored {
    file: NamedTempFile,
    /// The digests of its rows, for a later file.
    digests: Option<NamedTempFile>,
}

/// Hands over what is gone, where that is told, and the end.
async fn finish(
    changes: Option<Changes>,
    sender: &mpsc::Sender<Batch>,
) -> anyhow::Result<Option<NamedTempFile>> {
    let (gone, digests) = changes.map(Changes::end).transpose()?.unzip();
    let gone = gone.into_iter().flatten().map(Batch::Made);
    for batch in gone.chain([Batch::End]) {
        if sender.send(batch).await.is_err() {
            return Ok(None); // a renderer that failed says why itself
        }
    }
    Ok(digests)
}

/// One attempt at an export.
struct Making<'a> {
    office: &'a Office,
    job: &'a Job,
    attempt: u32,
}

impl Making<'_> {
    async fn run(&self) -> Result<Done, Trouble> {
        begin::<Export>(self.office, self.job, self.attempt).await?;
        let made = match self.make().await {
            Ok(made) => made,
            Err(Refusal::Trouble(error)) => return Err(Trouble(error)),
            Err(Refusal::Stop) => {
                let_go::<Export>(self.office, self.job).await?;
                return Ok(Done::Cancelled);
            }
            Err(Refusal::For(code, message)) => {
                self.fail(code, &message, false).await?;
                return Ok(Done::Failed(format!("{code}: {message}")));
            }
        };
        self.publish(made).await
    }

    async fn fail(&self, code: &str, message: &str, retryable: bool) -> anyhow::Result<()> {
        let body = json!({
            "attempt": self.attempt, "code": code, "message": message, "retryable": retryable,
        });
        let step = format!("fail/{}", self.attempt);
        let told = report::<Export>(self.office, self.job, "fail", &step, body).await;
        told.map_err(|Trouble(error)| error)
    }

    async fn make(&self) -> Result<(Made, Unstored), Refusal> {
        let office = self.office;
        let order = Order::read(office, self.job).await?;
        let opened = Opened::at_one_place(office, self.job, &order).await?;
        let Opened { plan, mut rows, mut header } = opened;
        self.check_size(&rows).await?;
        let told = self.tell_of_many(&rows).await?;
        if shows_counts(order.format) {
            header.counts = rows.counts(plan.dataset, &plan.query).await?;
        }
        let changes = Changes::open(office, self.job, (&order, &plan)).await?;
        let since = changes.as_ref().and_then(|changes| changes.since.clone());
        let as_of = rows.as_of.clone();
        let logo = match order.format {
            Format::Pdf => logo::read(office, self.job.tenant_id, &order).await?,
            Format::Csv | Format::Xlsx | Format::Ndjson | Format::Parquet => None,
        };
        let date = header.zone.to_datetime(as_of.time).date();
        let name =
            file_name((&header.title, order.unnamed_filter()), &date.to_string(), order.format);
        let organization = header.organization.clone();
        let (format, scratch) = (order.format, office.files.scratch().to_owned());
        let (sender, receiver) = mpsc::channel(FETCHES_IN_FLIGHT);
        let rendering = tokio::task::spawn_blocking(move || {
            let file = NamedTempFile::new_in(&scratch)?;
            let rendered = write(format, (&header, logo.as_ref()), receiver, (&file, &scratch))?;
            Ok::<_, render::Error>((file, rendered))
        });
        let fed = self.feed((rows, changes), sender, (&order, &plan), told).await;
        let rendered = rendering.await.context("the renderer panicked")?;
        // When rendering fails, the feeding ends with it, and the renderer's error is the one to tell; a feeding that fails ends the rendering.
        let digests = fed?;
        let (file, rendered) = rendered?;
        self.check_rights(&order, &plan).await?;
        let made = Made { rendered, name, order, plan, organization, as_of, since };
        Ok((made, Unstored { file, digests }))
    }

    /// No file is made of more rows than the organisation lets one be, whatever would be left of them in it. That is said before it
    /// is begun.
    async fn check_size(&self, rows: &Rows) -> Result<(), Refusal> {
        let most = self.office.setting(self.job.tenant_id, Key::ExportsMostRows).await?;
        let most = most.integer().context("exports.most_rows is no number")?;
        if i64::try_from(rows.total).is_ok_and(|total| total <= most) {
            return Ok(());
        }
        let message = format!(
            "there are {} rows, and the setting exports.most_rows lets a file be made of {most}; ask for fewer by a filter",
            rows.total
        );
        Err(Refusal::For("too_many_rows", message))
    }

    /// Whoever asked must still be allowed all that the file holds.
    async fn check_rights(&self, order: &Order, plan: &Plan) -> Result<(), Refusal> {
        let now = order.query(self.office, self.job.tenant_id).await?;
        if now.query.fingerprint() == plan.query.fingerprint() {
            return Ok(());
        }
        let others = anyhow!("the rights it was made with are others now; it is made anew");
        Err(Refusal::Trouble(others))
    }

    /// Says how many rows there will be, where they do not come at once; when that was.
    async fn tell_of_many(&self, rows: &Rows) -> Result<Option<Instant>, Refusal> {
        if rows.total <= rows.at_once() || self.office.dry {
            return Ok(None);
        }
        self.progress(0, rows.total).await?;
        Ok(Some(Instant::now()))
    }

    /// Hands rows to the renderer as fast as it takes them, all or those that changed; the digests of all where they are kept.
    async fn feed(
        &self,
        (mut rows, mut changes): (Rows, Option<Changes>),
        sender: mpsc::Sender<Batch>,
        (order, plan): (&Order, &Plan),
        mut told: Option<Instant>,
    ) -> Result<Option<NamedTempFile>, Refusal> {
        let mut done = 0;
        loop {
            let fetched = rows.next().await?;
            if fetched.len() == 0 {
                return Ok(finish(changes, &sender).await?);
            }
            done += fetched.len() as u64;
            let batch = match &mut changes {
                Some(changes) => Batch::Made(changes.of(fetched.cells())?),
                None => Batch::Fetched(fetched),
            };
            if sender.send(batch).await.is_err() {
                return Ok(None); // a renderer that failed says why itself
            }
            let due = told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY);
            if due && done < rows.total && !self.office.dry {
                told = Some(Instant::now());
                self.check_rights(order, plan).await?;
                self.progress(done, rows.total).await?;
            }
        }
    }

    /// Tells how far the file is, and stops when nobody waits for it any more.
    async fn progress(&self, rows_done: u64, rows_total: u64) -> Result<(), Refusal> {
        let export = state::<Export>(self.office, self.job).await?;
        if export.state.job.check_running(self.attempt).is_err() {
            return Err(Refusal::Stop);
        }
        let body = json!({
            "attempt": self.attempt, "rows_done": rows_done, "rows_total": rows_total.max(rows_done),
        });
        let step = format!("progress/{}/{rows_done}", self.attempt);
        match post::<Export>(self.office, self.job, "progress", &step, body).await {
            Ok(()) | Err(CommandError::Unavailable(_)) => Ok(()), // progress is a courtesy
            Err(CommandError::Refused(problem)) => {
                tracing::debug!(export.id = self.job.subject_id, problem.code, "progress refused");
                Ok(())
            }
        }
    }

    /// Stores the file and says so. A file whose completion is refused is removed: it belongs to nobody.
    async fn publish(&self, (made, unstored): (Made, Unstored)) -> Result<Done, Trouble> {
        let (office, tenant) = (self.office, self.job.tenant_id);
        let id = file_id::<Export>(self.job, self.attempt);
        let stored = office.files.keep(tenant, id, unstored.file).await;
        let stored = stored.map_err(anyhow::Error::from)?;
        if let Some(digests) = unstored.digests {
            let place = digests_id(self.job, self.attempt);
            office.files.keep(tenant, place, digests).await.map_err(anyhow::Error::from)?;
        }
        let kept = office.setting(tenant, Key::ExportsKeptHours).await?;
        let kept_hours = kept.integer().context("exports.kept_hours is no number")?;
        let expires_at = clock::now() + kept_hours.hours();
        let manifest = manifest::signed(office, self.job, &made, &stored).await?;
        let body = json!({
            "attempt": self.attempt,
            "file_id": id,
            "file_name": made.name,
            "size_bytes": stored.size_bytes,
            "sha256": stored.sha256,
            "rows": made.rendered.rows,
            "position": made.as_of.position,
            "expires_at": expires_at,
            "units": made.plan.units,
            "manifest": manifest,
        });
        let step = format!("complete/{}", self.attempt);
        match post::<Export>(office, self.job, "complete", &step, body).await {
            Ok(()) => Ok(Done::Finished),
            Err(CommandError::Refused(problem)) => {
                delete::<Export>(office, self.job, self.attempt).await?;
                let known = state::<Export>(office, self.job).await?.state.job;
                if known.state == State::Cancelling {
                    let_go::<Export>(office, self.job).await?;
                    return Ok(Done::Cancelled);
                }
                // The state says at the next attempt whether there is anything left to do.
                Err(Trouble(anyhow!("the file was not accepted: {}", problem.detail)))
            }
            Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
        }
    }
}
