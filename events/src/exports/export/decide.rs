//! The rules of an export.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Command, Complete, Delivery, Event, Export, Facts, Fail, File, Rejection, ReportProgress,
    Request, Start, Wishes,
};
use crate::aggregate::{Context, Decider};
use crate::exports::Report;
use crate::exports::template::Status;
use crate::ids::UserId;
use crate::job::{Cancel, State};
use crate::modules::Module;
use crate::text;

/// Longest name of a data set or a column.
pub const COLUMN_MAX_CHARS: usize = 64;
/// Most columns of a file.
pub const COLUMNS_MAX_COUNT: usize = 200;
/// Most keys of the order of rows.
pub const SORT_MAX_COLUMNS: usize = 8;
/// Longest filter.
pub const FILTER_MAX_CHARS: usize = 2_048;
/// Longest title.
pub const TITLE_MAX_CHARS: usize = 200;
/// Longest name of a file.
pub const FILE_NAME_MAX_CHARS: usize = 200;
/// Longest name of a worker.
pub const WORKER_MAX_CHARS: usize = 128;
/// Longest code of a failure.
pub const FAILURE_CODE_MAX_CHARS: usize = 64;
/// How much of the message of a failure is kept.
pub const FAILURE_MESSAGE_MAX_CHARS: usize = 1_000;

/// Most people that a file is sent to at once.
pub const RECIPIENTS_MAX_COUNT: usize = 50;
/// Longest signed note of what a file is.
pub const MANIFEST_MAX_BYTES: usize = 64 * 1024;

impl Decider for Export {
    const TYPE: &'static str = "exports.export";
    const MODULE: Module = Module::Exports;
    const SHAPE: i64 = 4;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if let Command::Request(request) = command {
            return self.request(request, facts, context);
        }
        if self.job.state == State::Absent {
            return Err(Rejection::Unknown);
        }
        match command {
            Command::Request(_) => Err(Rejection::Exists),
            Command::Start(start) => self.start(&start),
            Command::ReportProgress(progress) => self.progress(&progress),
            Command::Complete(complete) => self.complete(complete, context.now),
            Command::Fail(fail) => self.fail(fail),
            Command::Cancel => Ok(cancelled(self.job.cancel()?)),
            Command::CallOff => Ok(self.job.cancel().map(cancelled).unwrap_or_default()),
            Command::ConfirmCancel => {
                Ok(self.job.let_go()?.then_some(Event::Cancelled).into_iter().collect())
            }
            Command::Retry => {
                self.job.check_retry()?;
                Ok(vec![Event::Retried { attempts: self.job.attempts }])
            }
            Command::Deliver { left_out } => self.deliver(&left_out, context.now),
            Command::Email { recipients, by } => {
                self.downloadable(context.now)?;
                let recipients = distinct(recipients).ok_or(Rejection::RecipientsInvalid)?;
                Ok(vec![Event::Emailed { recipients, by }])
            }
            Command::RecordDownload(download) => {
                self.downloadable(context.now)?;
                Ok(vec![Event::Downloaded { by: download.by }])
            }
            Command::Expire => self.expire(context.now),
            Command::CleanUp if self.archived => Err(Rejection::FileArchived),
            Command::Archive { .. } if self.archived => Ok(vec![]),
            Command::Archive { by } => {
                self.downloadable(context.now)?;
                Ok(vec![Event::Archived { by }])
            }
            Command::Delete { by } => self.delete(by),
            Command::CleanUp | Command::Withdraw => self.withdraw(),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Export {
    /// The file, if it may be fetched now.
    pub fn downloadable(&self, now: Timestamp) -> Result<&File, Rejection> {
        match (&self.file, self.job.state) {
            (Some(file), _) if self.archived || now < file.expires_at => Ok(file),
            (None, _) if self.deleted => Err(Rejection::FileDeleted),
            (Some(_), _) | (None, State::Expired) => Err(Rejection::FileExpired),
            (None, State::Absent) => Err(Rejection::Unknown),
            (None, state) => Err(Rejection::NotDownloadable(state.name())),
        }
    }

    fn request(
        &self,
        request: Request,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if self.job.state != State::Absent {
            return Err(Rejection::Exists);
        }
        if !context.actor.acts_as(request.requested_by) {
            return Err(Rejection::RequesterMismatch);
        }
        match (request.wishes.template_id, facts.template) {
            (None, _) | (Some(_), Some(Status::Defined)) => {}
            (Some(_), Some(Status::Retired)) => return Err(Rejection::TemplateRetired),
            (Some(_), None | Some(Status::Absent)) => return Err(Rejection::TemplateUnknown),
        }
        let report = request.report()?;
        let deliver = request.wishes.deliver.map(Delivery::checked).transpose()?;
        let wishes = Wishes { layout: report.layout, deliver, ..*request.wishes };
        Ok(vec![Event::Requested {
            format: request.format,
            dataset: report.dataset,
            columns: report.columns,
            filter: report.filter,
            sort: report.sort,
            title: report.title,
            locale: report.locale.unwrap_or_default(),
            time_zone: report.time_zone.unwrap_or_default(),
            requested_by: request.requested_by,
            wishes: Box::new(wishes),
            options: Box::new(report.options),
        }])
    }

    fn start(&self, start: &Start) -> Result<Vec<Event>, Rejection> {
        self.job.check_start(start.attempt)?;
        let worker =
            text::line(&start.worker, WORKER_MAX_CHARS).map_err(Rejection::WorkerInvalid)?;
        Ok(vec![Event::Started { attempt: start.attempt, worker }])
    }

    fn progress(&self, progress: &ReportProgress) -> Result<Vec<Event>, Rejection> {
        self.job.check_running(progress.attempt)?;
        let ReportProgress { rows_done, rows_total, .. } = *progress;
        if rows_done < self.rows_done || rows_total.is_some_and(|total| total < rows_done) {
            return Err(Rejection::ProgressInvalid);
        }
        if rows_done == self.rows_done && rows_total == self.rows_total {
            return Ok(vec![]);
        }
        Ok(vec![Event::Progressed { rows_done, rows_total }])
    }

    fn complete(&self, complete: Complete, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        self.job.check_running(complete.attempt)?;
        let file = complete.file;
        let named = text::line(&file.file_name, FILE_NAME_MAX_CHARS);
        if named != Ok(file.file_name.clone())
            || file.file_name.contains(['/', '\\'])
            || file.file_name.starts_with('.')
        {
            return Err(Rejection::FileNameInvalid);
        }
        if text::sha256(&file.sha256).is_none() {
            return Err(Rejection::DigestInvalid);
        }
        if file.position < 0 {
            return Err(Rejection::PositionInvalid);
        }
        if file.expires_at <= now {
            return Err(Rejection::ExpiryInvalid);
        }
        if file.manifest.as_ref().is_some_and(|note| note.len() > MANIFEST_MAX_BYTES) {
            return Err(Rejection::ManifestInvalid);
        }
        Ok(vec![Event::Completed(file)])
    }

    fn fail(&self, fail: Fail) -> Result<Vec<Event>, Rejection> {
        self.job.check_running(fail.attempt)?;
        if !text::is_identifier(&fail.code, FAILURE_CODE_MAX_CHARS) {
            return Err(Rejection::FailureCodeInvalid);
        }
        let message = text::cut(&fail.message, FAILURE_MESSAGE_MAX_CHARS);
        Ok(vec![Event::Failed { code: fail.code, message, retryable: fail.retryable }])
    }

    /// Once for each file, whoever asks and however often; of an empty one nobody is told who does not want to be.
    fn deliver(&self, left_out: &[UserId], now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let Some(deliver) = self.deliver.as_ref().filter(|_| !self.delivered) else {
            return Ok(vec![]);
        };
        let file = self.downloadable(now)?;
        if file.rows == 0 && deliver.skip_if_empty {
            return Ok(vec![]);
        }
        let (left_out, recipients) =
            deliver.recipients.iter().partition(|user| left_out.contains(user));
        Ok(vec![Event::Delivered { recipients, left_out }])
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match (&self.file, self.job.state) {
            (_, State::Expired) => Ok(vec![]),
            (Some(_), _) if self.archived => Err(Rejection::FileArchived),
            (Some(file), _) if file.expires_at <= now => Ok(vec![Event::Expired]),
            (Some(file), _) => Err(Rejection::NotExpired(file.expires_at)),
            (None, state) => Err(Rejection::NotDownloadable(state.name())),
        }
    }

    /// What was deleted, has expired or never came to be is gone already.
    fn delete(&self, by: UserId) -> Result<Vec<Event>, Rejection> {
        match (&self.file, self.job.state) {
            (Some(_), _) => Ok(vec![Event::Deleted { by }]),
            (None, state) if state.is_open() => Err(Rejection::StillMade(state.name())),
            (None, _) => Ok(vec![]),
        }
    }

    /// One that is still being made has to end first: it may have read what was erased since.
    fn withdraw(&self) -> Result<Vec<Event>, Rejection> {
        match (&self.file, self.job.state) {
            (Some(_), _) => Ok(vec![Event::Expired]),
            (None, state) if state.is_open() => Err(Rejection::NotDownloadable(state.name())),
            (None, _) => Ok(vec![]),
        }
    }
}

impl Request {
    /// What the file shows, as it is stored; refused where that is not well formed, or no file of its kind can show it.
    pub fn report(&self) -> Result<Report, Rejection> {
        let report = Report {
            dataset: self.dataset.clone(),
            columns: self.columns.clone(),
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            title: self.title.clone(),
            locale: Some(self.locale.clone()),
            time_zone: Some(self.time_zone.clone()),
            layout: self.wishes.layout.clone(),
            options: self.options.clone(),
        };
        let report = report.checked()?;
        report.options.fits(self.format, &report.columns).map_err(Rejection::OptionInvalid)?;
        Ok(report)
    }
}

fn cancelled(how: Cancel) -> Vec<Event> {
    match how {
        Cancel::Already => vec![],
        Cancel::Now => vec![Event::Cancelled],
        Cancel::Asked => vec![Event::CancelRequested],
    }
}

impl Delivery {
    fn checked(self) -> Result<Self, Rejection> {
        let recipients = distinct(self.recipients).ok_or(Rejection::DeliveryInvalid)?;
        Ok(Self { recipients, ..self })
    }
}

/// A list of people, if it is one that a file can be sent to.
fn distinct(people: Vec<UserId>) -> Option<Vec<UserId>> {
    let seen: BTreeSet<UserId> = people.iter().copied().collect();
    let fits = (1..=RECIPIENTS_MAX_COUNT).contains(&people.len()) && seen.len() == people.len();
    fits.then_some(people)
}
