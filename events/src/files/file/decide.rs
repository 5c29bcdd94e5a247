//! The rules of a file.

use jiff::{SignedDuration, Timestamp};

use super::{Command, Complete, Content, Event, File, Initiate, Rejection, Status};
use crate::aggregate::{Context, Decider};
use crate::files::content::{self, Unfit};
use crate::files::{Purpose, name};
use crate::ids::UserId;
use crate::modules::Module;
use crate::subject::Subject;
use crate::text;

/// Longest name of what a file is to a record.
pub const ROLE_MAX_CHARS: usize = 32;
/// Longest reason for holding a file back.
pub const REASON_MAX_CHARS: usize = 500;
/// Most records that a file is about.
pub const LINKS_MAX_COUNT: usize = 100;
/// For how long an upload may go on.
pub const UPLOAD_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What decisions about a file know of other streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the record that a link names exists.
    pub subject_exists: bool,
    /// The room that files take and may take, in bytes.
    pub room: Room,
}

/// The room that files take and may take, in bytes; files being stored at the same moment are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Taken by the files of whoever uploads.
    pub of_user: u64,
    /// The most for one user.
    pub user_most: u64,
    /// Taken by the files of the organisation.
    pub of_organization: u64,
    /// The most for all of it.
    pub organization_most: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { of_user: 0, user_most: u64::MAX, of_organization: 0, organization_most: u64::MAX }
    }
}

impl Room {
    fn check(&self, size_bytes: u64) -> Result<(), Rejection> {
        if self.of_user.saturating_add(size_bytes) > self.user_most {
            return Err(Rejection::UserQuotaExceeded(self.user_most));
        }
        if self.of_organization.saturating_add(size_bytes) > self.organization_most {
            return Err(Rejection::OrganizationQuotaExceeded(self.organization_most));
        }
        Ok(())
    }
}

impl Decider for File {
    const TYPE: &'static str = "files.file";
    const MODULE: Module = Module::Files;
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
        if let Command::Initiate(initiate) = command {
            return self.initiate(&initiate, facts, context);
        }
        if self.status == Status::Absent {
            return Err(Rejection::Unknown);
        }
        match command {
            Command::Initiate(_) => Err(Rejection::Exists),
            Command::Complete(complete) => self.complete(&complete, facts, context.now),
            Command::Refuse(complete) => self.refuse(&complete),
            Command::Abort => self.abort(),
            Command::Flag { reason } => self.flag(&reason),
            Command::LiftFlag => {
                self.stored()?;
                Ok(self.flag.as_ref().map(|_| Event::FlagLifted).into_iter().collect())
            }
            Command::Link { subject, role } => self.link(subject, &role, facts),
            Command::Unlink { subject } => self.unlink(subject, context.now),
            Command::RecordDownload { by, keeper } => {
                self.fetchable(keeper)?;
                Ok(vec![Event::Downloaded { by }])
            }
            Command::Delete => self.delete(),
            Command::Expire => self.expire(context.now),
            Command::Withdraw { user } => Ok(self.withdraw(user)),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl File {
    /// What it holds, if it may be fetched: by those who look after files, what is held back too.
    pub fn fetchable(&self, keeper: bool) -> Result<&Content, Rejection> {
        let content = self.stored()?;
        if self.flag.is_some() && !keeper { Err(Rejection::Held) } else { Ok(content) }
    }

    /// The most bytes that may be sent: what was announced, or what the purpose allows.
    pub fn max_bytes(&self) -> u64 {
        self.size_bytes.unwrap_or(self.purpose.max_bytes())
    }

    /// Whether it is still being sent.
    pub fn uploading(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Uploading => Ok(()),
            Status::Absent => Err(Rejection::Unknown),
            Status::Stored
            | Status::Refused
            | Status::Aborted
            | Status::Expired
            | Status::Deleted => Err(Rejection::NotUploading(self.status.name())),
        }
    }

    fn stored(&self) -> Result<&Content, Rejection> {
        match (&self.content, self.status) {
            (Some(content), _) => Ok(content),
            (None, Status::Absent) => Err(Rejection::Unknown),
            (None, status) => Err(Rejection::NotStored(status.name())),
        }
    }

    fn initiate(
        &self,
        initiate: &Initiate,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if self.status != Status::Absent {
            return Err(Rejection::Exists);
        }
        if !context.actor.acts_as(initiate.uploaded_by) {
            return Err(Rejection::UploaderMismatch);
        }
        let name = name::checked(&initiate.name).map_err(Rejection::NameInvalid)?;
        let media_type =
            content::declared(&initiate.media_type).ok_or(Rejection::MediaTypeInvalid)?;
        if media_type != content::OPEN && !initiate.purpose.admits(&media_type) {
            return Err(Rejection::ContentUnfit(Unfit::Unserving));
        }
        if let Some(size_bytes) = initiate.size_bytes {
            check_size(size_bytes, initiate.purpose)?;
            facts.room.check(size_bytes)?;
        }
        let expires_at = context.now.saturating_add(UPLOAD_LIFE).unwrap_or(Timestamp::MAX);
        Ok(vec![Event::Initiated {
            name,
            media_type,
            size_bytes: initiate.size_bytes,
            purpose: initiate.purpose,
            uploaded_by: initiate.uploaded_by,
            expires_at,
        }])
    }

    fn complete(
        &self,
        complete: &Complete,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let same = |content: &Content| content.sha256 == complete.sha256;
        if self.status == Status::Stored && self.content.as_ref().is_some_and(same) {
            return Ok(vec![]);
        }
        self.uploading()?;
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Rejection::NotUploading(Status::Expired.name()));
        }
        let size_bytes = complete.size_bytes;
        if let Some(announced) = self.size_bytes.filter(|announced| *announced != size_bytes) {
            return Err(Rejection::SizeMismatch(announced));
        }
        check_size(size_bytes, self.purpose)?;
        let expected = complete.expected_sha256.as_ref();
        if expected.is_some_and(|expected| !text::is_same_sha256(&complete.sha256, expected)) {
            return Err(Rejection::DigestMismatch);
        }
        let media_type = self.fit(complete).map_err(Rejection::ContentUnfit)?;
        facts.room.check(size_bytes)?;
        let content = Content {
            blob_id: complete.blob_id,
            sha256: complete.sha256.clone(),
            size_bytes,
            media_type,
            uploaded_by: self.uploaded_by,
        };
        Ok(vec![Event::Stored { content, keep_until: self.kept_unlinked(now) }])
    }

    /// The media type of what was sent, if it is taken.
    fn fit(&self, complete: &Complete) -> Result<String, Unfit> {
        let media_type = content::fit(&self.media_type, &complete.found)?;
        if !self.purpose.admits(&media_type) {
            return Err(Unfit::Unserving);
        }
        complete.found.archive.check(self.purpose.max_bytes())?;
        Ok(media_type)
    }

    fn refuse(&self, complete: &Complete) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Refused {
            return Ok(vec![]);
        }
        self.uploading()?;
        match self.fit(complete) {
            Ok(_) => Err(Rejection::ContentFit),
            Err(reason) => Ok(vec![Event::Refused { reason }]),
        }
    }

    fn abort(&self) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Aborted {
            return Ok(vec![]);
        }
        self.uploading()?;
        Ok(vec![Event::Aborted])
    }

    fn flag(&self, reason: &str) -> Result<Vec<Event>, Rejection> {
        self.stored()?;
        let reason = text::line(reason, REASON_MAX_CHARS).map_err(|_| Rejection::ReasonInvalid)?;
        let same = self.flag.as_ref() == Some(&reason);
        Ok((!same).then_some(Event::Flagged { reason }).into_iter().collect())
    }

    fn link(&self, subject: Subject, role: &str, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        self.stored()?;
        if !text::is_identifier(role, ROLE_MAX_CHARS) {
            return Err(Rejection::RoleInvalid);
        }
        match self.links.iter().find(|link| link.subject == subject) {
            Some(link) if link.role == role => return Ok(vec![]),
            Some(_) => return Err(Rejection::LinkExists),
            None => {}
        }
        if !facts.subject_exists {
            return Err(Rejection::SubjectUnknown);
        }
        if self.links.len() >= LINKS_MAX_COUNT {
            return Err(Rejection::LinksFull);
        }
        Ok(vec![Event::Linked { subject, role: role.to_owned() }])
    }

    fn unlink(&self, subject: Subject, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        self.stored()?;
        if !self.is_about(&subject) {
            return Err(Rejection::LinkUnknown);
        }
        let keep_until = if self.links.len() == 1 { self.kept_unlinked(now) } else { None };
        Ok(vec![Event::Unlinked { subject, keep_until }])
    }

    fn delete(&self) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Deleted {
            return Ok(vec![]);
        }
        let content = self.stored()?.clone();
        if !self.links.is_empty() {
            return Err(Rejection::Linked(self.links.len()));
        }
        Ok(vec![Event::Deleted { content }])
    }

    fn expire(&self, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match (self.status, self.expires_at.or(self.keep_until)) {
            (Status::Expired | Status::Deleted | Status::Refused | Status::Aborted, _) => {
                Ok(vec![])
            }
            (Status::Absent | Status::Uploading | Status::Stored, None) => Err(Rejection::Endless),
            (Status::Absent | Status::Uploading | Status::Stored, Some(end)) if end > now => {
                Err(Rejection::NotExpired(end))
            }
            (Status::Stored, Some(_)) => self.delete(),
            (Status::Absent | Status::Uploading, Some(_)) => Ok(vec![Event::Expired]),
        }
    }

    /// What is about other records as well is theirs, and stays without the link to whoever is forgotten.
    fn withdraw(&self, user: UserId) -> Vec<Event> {
        if self.status == Status::Uploading && self.uploaded_by == user {
            return vec![Event::Aborted];
        }
        let Some(content) = &self.content else { return vec![] };
        let (of_user, others): (Vec<_>, Vec<_>) =
            self.links.iter().partition(|link| link.subject.is_user(user));
        let unlinked =
            of_user.iter().map(|link| Event::Unlinked { subject: link.subject, keep_until: None });
        let mut events: Vec<Event> = unlinked.collect();
        if others.is_empty() && (self.uploaded_by == user || !of_user.is_empty()) {
            events.push(Event::Deleted { content: content.clone() });
        }
        events
    }

    fn kept_unlinked(&self, now: Timestamp) -> Option<Timestamp> {
        let kept = self.purpose.kept_unlinked()?;
        Some(now.saturating_add(kept).unwrap_or(Timestamp::MAX))
    }
}

fn check_size(size_bytes: u64, purpose: Purpose) -> Result<(), Rejection> {
    if size_bytes == 0 {
        return Err(Rejection::Empty);
    }
    let most = purpose.max_bytes();
    if size_bytes > most { Err(Rejection::TooLarge(most)) } else { Ok(()) }
}
