//! How a task goes on: begun, blocked, completed, reopened, put off, and given up.

use jiff::{SignedDuration, Timestamp};

use super::{
    Event, Facts, PHOTOS_MAX_COUNT, Photo, REASON_MAX_CHARS, Rejection, Status, Task, Work,
};
use crate::aggregate::{ActorKind, Context};
use crate::ids::{FileId, UserId};
use crate::text;

/// So long before it is due, those who are assigned hear of it.
pub const DUE_SOON: SignedDuration = SignedDuration::from_hours(24);

impl Task {
    pub(super) fn work(
        &self,
        command: Work,
        facts: &Facts,
        themselves: Option<UserId>,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Work::Start => self.start(),
            Work::Block { reason } => self.block(&reason),
            Work::Complete => self.complete(&facts.others),
            Work::Reopen { reason } => self.reopen(&reason),
            Work::CompleteSubtask { subtask_id } => {
                self.check_at_work()?;
                self.complete_subtask(subtask_id)
            }
            Work::ReopenSubtask { subtask_id } => {
                self.check_at_work()?;
                self.reopen_subtask(subtask_id)
            }
            Work::Tick { item_id, ticked } => {
                self.check_at_work()?;
                self.tick(item_id, ticked)
            }
            Work::AttachPhoto { file_id } => {
                self.check_at_work()?;
                self.attach(file_id, facts.photo)
            }
            Work::DetachPhoto { file_id } => {
                self.check_at_work()?;
                self.detach(file_id)
            }
            Work::RecordCriterion { criterion_id, value } => {
                self.check_at_work()?;
                self.record(criterion_id, value)
            }
            Work::Confirm => {
                self.check_at_work()?;
                self.confirm(themselves)
            }
        }
    }

    /// Whether somebody is at it.
    pub(super) fn check_at_work(&self) -> Result<(), Rejection> {
        match self.status {
            Status::InProgress => Ok(()),
            Status::Open => Err(Rejection::NotStarted),
            Status::Blocked => Err(Rejection::Blocked),
            Status::Absent | Status::Completed | Status::Cancelled | Status::Superseded => {
                self.check_open()
            }
        }
    }

    /// Whether it is still to be done.
    pub(super) fn check_open(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Open | Status::InProgress | Status::Blocked => Ok(()),
            Status::Absent => Err(Rejection::Unknown),
            Status::Completed => Err(Rejection::Completed),
            Status::Cancelled | Status::Superseded => Err(Rejection::Over(self.status)),
        }
    }

    fn start(&self) -> Result<Vec<Event>, Rejection> {
        self.check_open()?;
        Ok(match self.status {
            Status::Open => vec![Event::Started],
            Status::Blocked => vec![Event::Resumed],
            Status::Absent
            | Status::InProgress
            | Status::Completed
            | Status::Cancelled
            | Status::Superseded => vec![],
        })
    }

    fn block(&self, reason: &str) -> Result<Vec<Event>, Rejection> {
        let reason = checked_reason(reason)?;
        if self.status == Status::Blocked {
            return Ok(vec![]);
        }
        self.check_at_work()?;
        Ok(vec![Event::Blocked { reason }])
    }

    fn reopen(&self, reason: &str) -> Result<Vec<Event>, Rejection> {
        let reason = checked_reason(reason)?;
        match self.status {
            Status::Completed => Ok(vec![Event::Reopened { reason }]),
            Status::Open | Status::InProgress | Status::Blocked => Err(Rejection::NotCompleted),
            Status::Absent | Status::Cancelled | Status::Superseded => {
                Err(Rejection::Over(self.status))
            }
        }
    }

    pub(super) fn cancel(&self, reason: &str) -> Result<Vec<Event>, Rejection> {
        let reason = checked_reason(reason)?;
        if self.status == Status::Cancelled {
            return Ok(vec![]);
        }
        self.check_open()?;
        Ok(vec![Event::Cancelled { reason }])
    }

    /// A plan never touches what somebody has begun.
    pub(super) fn supersede(&self, by_version: u32) -> Result<Vec<Event>, Rejection> {
        if self.status == Status::Superseded {
            return Ok(vec![]);
        }
        if self.started {
            return Err(Rejection::Started);
        }
        self.check_open()?;
        Ok(vec![Event::Superseded { by_version }])
    }

    pub(super) fn reschedule(
        &self,
        due_at: Option<Timestamp>,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if context.actor.kind == ActorKind::Service && self.started {
            return Err(Rejection::Started);
        }
        if due_at == self.due_at {
            return Ok(vec![]);
        }
        Ok(vec![Event::Rescheduled { from: self.due_at, due_at }])
    }

    /// What is over, due at another time by now, or known, is announced to nobody; nor that it is due soon once it was due.
    pub(super) fn announce(
        &self,
        due_at: Timestamp,
        overdue: bool,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        if self.check_open().is_err() || self.due_at != Some(due_at) {
            return Ok(vec![]);
        }
        let soon = due_at.saturating_sub(DUE_SOON).unwrap_or(Timestamp::MIN);
        let since = if overdue { due_at } else { soon };
        if now < since {
            return Err(Rejection::NotDue(since));
        }
        let (known, news) = if overdue {
            (self.overdue_announced, Event::OverdueAnnounced { due_at })
        } else {
            (self.due_announced || due_at <= now, Event::DueAnnounced { due_at })
        };
        Ok(if known { vec![] } else { vec![news] })
    }

    /// Everybody for themselves: not even whoever manages tasks confirms for another.
    fn confirm(&self, themselves: Option<UserId>) -> Result<Vec<Event>, Rejection> {
        let user_id = themselves.ok_or(Rejection::NotAssignee)?;
        if self.confirmed.contains(&user_id) {
            return Ok(vec![]);
        }
        Ok(vec![Event::AssigneeConfirmed { user_id }])
    }

    fn attach(&self, file_id: FileId, photo: Photo) -> Result<Vec<Event>, Rejection> {
        if self.photos.contains(&file_id) {
            return Ok(vec![]);
        }
        match photo {
            Photo::Unknown => return Err(Rejection::PhotoUnknown),
            Photo::Held => return Err(Rejection::PhotoHeld),
            Photo::Other => return Err(Rejection::PhotoNotPicture),
            Photo::Picture => {}
        }
        if self.photos.len() >= PHOTOS_MAX_COUNT {
            return Err(Rejection::PhotosFull);
        }
        Ok(vec![Event::PhotoAttached { file_id }])
    }

    fn detach(&self, file_id: FileId) -> Result<Vec<Event>, Rejection> {
        if !self.photos.contains(&file_id) {
            return Err(Rejection::PhotoNotAttached);
        }
        Ok(vec![Event::PhotoDetached { file_id }])
    }
}

fn checked_reason(reason: &str) -> Result<String, Rejection> {
    text::line(reason, REASON_MAX_CHARS).map_err(Rejection::ReasonInvalid)
}
