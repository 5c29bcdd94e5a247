//! The rules of an export.

use jiff::Timestamp;

use super::{
    Command, Complete, Event, Export, Facts, Fail, File, Misfit, ReportProgress, Request, Start,
    Wishes,
};
use crate::aggregate::{Class, Context, Decider};
use crate::exports::template::Status;
use crate::exports::{Flaw, Misprint, Report};
use crate::ids::UserId;
use crate::job::{Cancel, Refusal, State};
use crate::modules::Module;
use crate::text::{self, Fault};

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

/// Longest signed note of what a file is.
pub const MANIFEST_MAX_BYTES: usize = 64 * 1024;

/// Why an export refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "EXPORT_")]
pub enum Rejection {
    /// There is no such export.
    #[error("there is no such export: request one")]
    Unknown,
    /// The export exists already.
    #[error("the export exists already: request another")]
    Exists,
    /// The file would be somebody else's.
    #[error("requested_by is not the caller: request the export for yourself")]
    RequesterMismatch,
    /// The name of the data set is not one.
    #[error(
        "dataset is not a name of a-z, digits, dots and underscores: choose one of the data sets"
    )]
    DatasetInvalid,
    /// The columns are none, too many, twice the same, or not names.
    #[error(
        "columns must be 1 to {COLUMNS_MAX_COUNT} different names of columns: correct the list"
    )]
    ColumnsInvalid,
    /// The filter cannot be used.
    #[error("filter {0}")]
    FilterInvalid(Fault),
    /// The order of rows is not well formed.
    #[error("sort must be at most {SORT_MAX_COLUMNS} different names of columns: correct the list")]
    SortInvalid,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The locale is not a language tag.
    #[error("locale is not a BCP 47 tag: write it like de-CH")]
    LocaleInvalid,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZoneUnknown,
    /// A text of the pages cannot be used.
    #[error("layout.{0}")]
    LayoutInvalid(Misprint),
    /// There is no such template.
    #[error("template_id names no template: choose one of GET /exports/templates")]
    TemplateUnknown,
    /// Nobody makes files by the template any more.
    #[error("the template is retired: choose another, or say what the file shall be")]
    TemplateRetired,
    /// A kind of file cannot do what is wished.
    #[error("options.{0}")]
    OptionInvalid(Misfit),
    /// The manifest is longer than a signed note.
    #[error("manifest has more than {MANIFEST_MAX_BYTES} bytes: send a signed note")]
    ManifestInvalid,
    /// The worker's name cannot be used.
    #[error("worker {0}")]
    WorkerInvalid(Fault),
    /// The attempt is not the latest.
    #[error("attempt is not the latest, which is {0}: leave the export to its worker")]
    AttemptStale(u32),
    /// No worker is at it.
    #[error("the export is {0}, not running: start an attempt first")]
    NotRunning(&'static str),
    /// The export came to its end.
    #[error("the export is {0} already: request another")]
    Finished(&'static str),
    /// The worker is to let go of it.
    #[error("the export is being cancelled: let go of it")]
    Cancelling,
    /// Nobody asked to cancel it.
    #[error("nobody asked to cancel the export: go on with it")]
    Wanted,
    /// Progress goes forward, and not beyond its end.
    #[error("rows_done is less than before or more than rows_total: report what is done")]
    ProgressInvalid,
    /// The file's name cannot be used.
    #[error(
        "file_name must be at most {FILE_NAME_MAX_CHARS} characters without a path: correct it"
    )]
    FileNameInvalid,
    /// The digest is not one.
    #[error("sha256 must be 64 lower-case hexadecimal digits: send the digest of the file")]
    DigestInvalid,
    /// The position is before the log's first.
    #[error("position must not be negative: send the position of the data")]
    PositionInvalid,
    /// The file would expire at once.
    #[error("expires_at is not in the future: choose a later moment")]
    ExpiryInvalid,
    /// The code of the failure is not one.
    #[error("code must be a name of a-z, digits, dots and underscores: correct it")]
    FailureCodeInvalid,
    /// It cannot help to try again.
    #[error("the export failed for good: request another")]
    NotRetryable,
    /// It has not failed.
    #[error("the export is {0}, not failed: retry only what failed")]
    NotFailed(&'static str),
    /// There is no file.
    #[error("the export is {0}, and there is no file: download one that succeeded")]
    NotDownloadable(&'static str),
    /// The file's time is over.
    #[error("the file expired: request the export again")]
    FileExpired,
    /// Somebody deleted the file.
    #[error("the file was deleted: request the export again")]
    FileDeleted,
    /// The file is kept until somebody deletes it.
    #[error("the file is archived and does not expire: delete it instead")]
    FileArchived,
    /// The file is still being made.
    #[error("the export is {0}, and its file is still to come: cancel it first")]
    StillMade(&'static str),
    /// The file's time is not over.
    #[error("the file expires at {0}: wait until then")]
    NotExpired(Timestamp),
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Absent,
            Self::RequesterMismatch => Class::Forbidden,
            Self::DatasetInvalid
            | Self::ColumnsInvalid
            | Self::FilterInvalid(_)
            | Self::SortInvalid
            | Self::TitleInvalid(_)
            | Self::LocaleInvalid
            | Self::TimeZoneUnknown
            | Self::LayoutInvalid(_)
            | Self::TemplateUnknown
            | Self::OptionInvalid(_)
            | Self::ManifestInvalid
            | Self::WorkerInvalid(_)
            | Self::ProgressInvalid
            | Self::FileNameInvalid
            | Self::DigestInvalid
            | Self::PositionInvalid
            | Self::ExpiryInvalid
            | Self::FailureCodeInvalid => Class::Invalid,
            Self::Exists
            | Self::TemplateRetired
            | Self::AttemptStale(_)
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
            | Self::NotDownloadable(_)
            | Self::FileExpired
            | Self::FileDeleted
            | Self::FileArchived
            | Self::StillMade(_)
            | Self::NotExpired(_) => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::RequesterMismatch => Some("/requested_by"),
            Self::DatasetInvalid => Some("/dataset"),
            Self::ColumnsInvalid => Some("/columns"),
            Self::FilterInvalid(_) => Some("/filter"),
            Self::SortInvalid => Some("/sort"),
            Self::TitleInvalid(_) => Some("/title"),
            Self::LocaleInvalid => Some("/locale"),
            Self::TimeZoneUnknown => Some("/time_zone"),
            Self::LayoutInvalid(misprint) => Some(misprint.pointer()),
            Self::TemplateUnknown | Self::TemplateRetired => Some("/template_id"),
            Self::OptionInvalid(misfit) => Some(misfit.pointer()),
            Self::ManifestInvalid => Some("/manifest"),
            Self::WorkerInvalid(_) => Some("/worker"),
            Self::AttemptStale(_) => Some("/attempt"),
            Self::ProgressInvalid => Some("/rows_done"),
            Self::FileNameInvalid => Some("/file_name"),
            Self::DigestInvalid => Some("/sha256"),
            Self::PositionInvalid => Some("/position"),
            Self::ExpiryInvalid => Some("/expires_at"),
            Self::FailureCodeInvalid => Some("/code"),
            Self::Unknown
            | Self::Exists
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
            | Self::NotDownloadable(_)
            | Self::FileExpired
            | Self::FileDeleted
            | Self::FileArchived
            | Self::StillMade(_)
            | Self::NotExpired(_) => None,
        }
    }
}

impl Decider for Export {
    const TYPE: &'static str = "exports.export";
    const MODULE: Module = Module::Exports;
    const SHAPE: i64 = 3;
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
            Command::Cancel => Ok(match self.job.cancel()? {
                Cancel::Already => vec![],
                Cancel::Now => vec![Event::Cancelled],
                Cancel::Asked => vec![Event::CancelRequested],
            }),
            Command::ConfirmCancel => {
                Ok(self.job.let_go()?.then_some(Event::Cancelled).into_iter().collect())
            }
            Command::Retry => {
                self.job.check_retry()?;
                Ok(vec![Event::Retried { attempts: self.job.attempts }])
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
        let report = Report {
            dataset: request.dataset,
            columns: request.columns,
            filter: request.filter,
            sort: request.sort,
            title: request.title,
            locale: Some(request.locale),
            time_zone: Some(request.time_zone),
            layout: request.wishes.layout,
            options: request.options,
        };
        let report = report.checked()?;
        report.options.fits(request.format, &report.columns).map_err(Rejection::OptionInvalid)?;
        let wishes = Wishes { layout: report.layout, template_id: request.wishes.template_id };
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

impl From<Flaw> for Rejection {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Dataset => Self::DatasetInvalid,
            Flaw::Columns => Self::ColumnsInvalid,
            Flaw::Filter(fault) => Self::FilterInvalid(fault),
            Flaw::Sort => Self::SortInvalid,
            Flaw::Title(fault) => Self::TitleInvalid(fault),
            Flaw::Locale => Self::LocaleInvalid,
            Flaw::TimeZone => Self::TimeZoneUnknown,
            Flaw::Layout(misprint) => Self::LayoutInvalid(misprint),
            Flaw::Options(misfit) => Self::OptionInvalid(misfit),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Finished(state) => Self::Finished(state.name()),
            Refusal::NotRunning(state) => Self::NotRunning(state.name()),
            Refusal::Cancelling => Self::Cancelling,
            Refusal::Stale(latest) => Self::AttemptStale(latest),
            Refusal::Wanted => Self::Wanted,
            Refusal::NotFailed(state) => Self::NotFailed(state.name()),
            Refusal::NotRetryable => Self::NotRetryable,
        }
    }
}
