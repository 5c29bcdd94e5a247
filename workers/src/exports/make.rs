//! Makes the file of an export: for whom, from what, into which format; and reports how it went.

use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use events::exports::export::{Export, Format};
use events::identity::organization::Organization;
use events::identity::user::User;
use events::job::State;
use events::rbac::user_access::UserAccess;
use events::settings::Key;
use events::{UnitId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::ToSpan;
use platform::clock;
use platform::commands::CommandError;
use platform::dataset::Dataset;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::order::{Order, Plan};
use super::refusal::Refusal;
use super::render::{self, Header, Paper, Rendered, Row, csv, pdf, xlsx};
use super::rows::{self, Rows};
use crate::making::{begin, file_id, let_go, post, report, state};
use crate::runtime::{Done, Job, Office, Trouble};

/// How long the projection may need to come up to the request.
const CATCH_UP: Duration = Duration::from_secs(15);
const CATCH_UP_POLL: Duration = Duration::from_millis(50);
/// Progress is told at most this often, the first time as soon as there are rows.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Fetched rows that wait for the renderer.
const FETCHES_IN_FLIGHT: usize = 2;
const FILE_NAME_CHARS: usize = 120;

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

/// A file that is complete but not stored.
struct Made {
    file: NamedTempFile,
    rendered: Rendered,
    position: i64,
    name: String,
    units: Vec<UnitId>,
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

    async fn make(&self) -> Result<Made, Refusal> {
        let (office, tenant) = (self.office, self.job.tenant_id);
        let order = Order::read(office, self.job).await?;
        let plan = order.query(office, tenant).await?;
        caught_up(office, plan.dataset, order.position).await?;
        let mut rows = Rows::open(&office.pool, tenant, plan.dataset, &plan.query).await?;
        if plan.dataset.is_sealed() {
            rows = rows.opening(&office.pool, tenant, &office.personal);
        }
        let mut header = self.header(&order, &plan, rows.position).await?;
        header.counts = rows.counts(plan.dataset, &plan.query).await?;
        let made_at = header.zone.to_datetime(header.generated_at).date();
        let name = file_name(&header.title, &made_at.to_string(), order.format);
        let (position, scratch) = (rows.position, office.files.scratch().to_owned());
        let (sender, receiver) = mpsc::channel(FETCHES_IN_FLIGHT);
        let rendering = tokio::task::spawn_blocking(move || {
            let file = NamedTempFile::new_in(&scratch)?;
            let rendered = write(order.format, &header, receiver, &file, &scratch)?;
            Ok::<_, render::Error>((file, rendered))
        });
        let fed = self.feed(rows, sender).await;
        // When rendering fails, the feeding ends with it, and the renderer's error is the one to tell.
        let (file, rendered) = rendering.await.context("the renderer panicked")??;
        fed?;
        Ok(Made { file, rendered, position, name, units: plan.units })
    }

    async fn header(&self, order: &Order, plan: &Plan, position: i64) -> anyhow::Result<Header> {
        let (office, tenant) = (self.office, self.job.tenant_id);
        let organization =
            office.aggregates.refresh::<Organization>(tenant, &tenant.to_string()).await?;
        let user =
            office.aggregates.refresh::<User>(tenant, &order.requested_by.to_string()).await?;
        Ok(Header {
            title: order.title.clone().unwrap_or_else(|| plan.dataset.label.to_owned()),
            organization: organization.state.name.clone(),
            requested_by: user.state.display_name.clone(),
            columns: rows::columns(&plan.query),
            locale: order.locale.clone(),
            zone: order.zone(),
            position,
            filter: order.filter.clone().unwrap_or_default(),
            counts: Vec::new(),
            generated_at: clock::now(),
            paper: self.paper(&organization.state, order.requested_by).await?,
            layout: order.layout.clone(),
        })
    }

    /// What whoever asked prints on, or is printed on where they work: in the one unit in which they have roles, in the whole organisation
    /// where those are several or none.
    async fn paper(&self, organization: &Organization, user: UserId) -> anyhow::Result<Paper> {
        let (office, tenant) = (self.office, self.job.tenant_id);
        let access = office.aggregates.refresh::<UserAccess>(tenant, &user.to_string()).await?;
        let home = access.state.home(clock::now());
        let path = home.map(|unit| organization.path(unit)).unwrap_or_default();
        let paper = office.setting_for((tenant, user), &path, Key::ExportsPaper).await?;
        paper.text().unwrap_or_default().parse().context("exports.paper names no paper")
    }

    /// Hands rows to the renderer as fast as it takes them.
    async fn feed(&self, mut rows: Rows, sender: mpsc::Sender<Vec<Row>>) -> Result<(), Refusal> {
        let (mut done, mut told) = (0, None::<Instant>);
        loop {
            let fetched = rows.next().await?;
            let end = fetched.is_empty();
            done += fetched.len() as u64;
            // The last is empty: a renderer that does not see it knows that the reading was broken off.
            if sender.send(fetched).await.is_err() || end {
                return Ok(()); // a renderer that failed says why itself
            }
            let due = told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY);
            if due && done < rows.total && !self.office.dry {
                told = Some(Instant::now());
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
    async fn publish(&self, made: Made) -> Result<Done, Trouble> {
        let (office, tenant) = (self.office, self.job.tenant_id);
        let source = tokio::fs::File::from_std(made.file.reopen().map_err(anyhow::Error::from)?);
        let id = file_id::<Export>(self.job, self.attempt);
        let stored = office.files.put(tenant, id, source).await.map_err(anyhow::Error::from)?;
        let kept = office.setting(tenant, Key::ExportsKeptHours).await?;
        let kept_hours = kept.integer().context("exports.kept_hours is no number")?;
        let expires_at = clock::now() + kept_hours.hours();
        let body = json!({
            "attempt": self.attempt,
            "file_id": id,
            "file_name": made.name,
            "size_bytes": stored.size_bytes,
            "sha256": stored.sha256,
            "rows": made.rendered.rows,
            "position": made.position,
            "expires_at": expires_at,
            "units": made.units,
        });
        let step = format!("complete/{}", self.attempt);
        match post::<Export>(office, self.job, "complete", &step, body).await {
            Ok(()) => Ok(Done::Finished),
            Err(CommandError::Refused(problem)) => {
                office.files.delete(tenant, id).await.map_err(anyhow::Error::from)?;
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

/// Waits, not for long, until the rows reflect the moment of the request.
async fn caught_up(office: &Office, dataset: &Dataset, position: i64) -> Result<(), Refusal> {
    let start = Instant::now();
    while rows::position(&office.pool, dataset).await? < position {
        if start.elapsed() > CATCH_UP {
            let behind = anyhow!("the rows of {} are behind the log", dataset.name);
            return Err(Refusal::Trouble(behind));
        }
        tokio::time::sleep(CATCH_UP_POLL).await;
    }
    Ok(())
}

/// Writes the file, on a thread that may block.
fn write(
    format: Format,
    header: &Header,
    mut fetched: mpsc::Receiver<Vec<Row>>,
    file: &NamedTempFile,
    scratch: &std::path::Path,
) -> Result<Rendered, render::Error> {
    let mut over = false;
    let next = move || match fetched.blocking_recv() {
        Some(rows) => (!rows.is_empty()).then_some(Ok(rows)),
        None if std::mem::replace(&mut over, true) => None,
        None => Some(Err(anyhow!("the reading was broken off"))),
    };
    let rows = std::iter::from_fn(next).flat_map(each);
    let mut sink = BufWriter::new(file.as_file());
    let rendered = match format {
        Format::Csv => csv::render(header, csv::Dialect::Excel, rows, &mut sink)?,
        Format::Xlsx => xlsx::render(header, rows, scratch, &mut sink)?,
        Format::Pdf => pdf::render(header, rows, &mut sink)?,
    };
    sink.flush()?;
    Ok(rendered)
}

/// Rows one by one.
fn each(fetched: anyhow::Result<Vec<Row>>) -> Vec<anyhow::Result<Row>> {
    match fetched {
        Ok(rows) => rows.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// `Title_2026-01-31.csv`, of characters that every file system takes.
fn file_name(title: &str, date: &str, format: Format) -> String {
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '-' } else { c };
    let title: String = title.chars().map(safe).take(FILE_NAME_CHARS).collect();
    let title = title.trim().trim_start_matches('.').replace(' ', "-");
    let extension: &str = format.into();
    let title = if title.is_empty() { "export" } else { &title };
    format!("{title}_{date}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_title_and_date_and_no_path() {
        let name = |title: &str| file_name(title, "2026-01-31", Format::Xlsx);
        assert_eq!(name("Offene Rechnungen"), "Offene-Rechnungen_2026-01-31.xlsx");
        assert_eq!(name("../../etc/passwd"), "-..-etc-passwd_2026-01-31.xlsx");
        assert_eq!(name(" "), "export_2026-01-31.xlsx");
        assert!(name(&"x".repeat(500)).len() < 200);
    }
}
