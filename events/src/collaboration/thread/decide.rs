//! The rules of comments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Command, Comment, Event, Post, Rejection, Thread, digest};
use crate::aggregate::{Context, Decider};
use crate::collaboration::mention::{self, HANDLES_MAX_COUNT};
use crate::ids::{CommentId, UserId};
use crate::modules::Module;
use crate::text;

/// Longest comment.
pub const BODY_MAX_CHARS: usize = 10_000;
/// Most comments on one record, deleted ones too.
pub const COMMENTS_MAX_COUNT: usize = 1_000;
/// For how long whoever wrote a comment can edit it.
pub const EDITABLE: SignedDuration = SignedDuration::from_mins(15);

/// What decisions about comments know of other streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether the record that is to be commented on exists.
    pub subject_exists: bool,
    /// Whether the caller looks after everybody's comments.
    pub moderator: bool,
    /// Whether whoever wrote the comment is forgotten.
    pub author_erased: bool,
    /// Who may sign in, by their handles, of those who are called; handles in the form in which they are compared.
    pub users: BTreeMap<String, UserId>,
}

impl Decider for Thread {
    const TYPE: &'static str = "collaboration.thread";
    const MODULE: Module = Module::Collaboration;
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
        match command {
            Command::Post(post) => self.post(post, facts, context),
            Command::Edit { comment_id, body } => self.edit(comment_id, &body, (facts, context)),
            Command::Delete { comment_id } => self.delete(comment_id, facts, context),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Thread {
    fn post(&self, post: Post, facts: &Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
        let Post { comment_id, subject, author_id, body, parent_id } = post;
        if self.comments.contains_key(&comment_id) {
            return Err(Rejection::Exists);
        }
        if !context.actor.acts_as(author_id) {
            return Err(Rejection::AuthorMismatch);
        }
        let body = cleaned(&body)?;
        if !facts.subject_exists {
            return Err(Rejection::SubjectUnknown);
        }
        if let Some(parent_id) = parent_id {
            self.check_parent(parent_id)?;
        }
        if self.comments.len() >= COMMENTS_MAX_COUNT {
            return Err(Rejection::ThreadFull);
        }
        let mentions = called(&body, facts)?;
        let editable_until = context.now.saturating_add(EDITABLE).unwrap_or(Timestamp::MAX);
        Ok(vec![Event::CommentPosted {
            comment_id,
            subject,
            author_id,
            body,
            mentions,
            parent_id,
            editable_until,
        }])
    }

    fn check_parent(&self, parent_id: CommentId) -> Result<(), Rejection> {
        let parent = self.comments.get(&parent_id).ok_or(Rejection::ParentUnknown)?;
        if parent.parent_id.is_some() {
            return Err(Rejection::ParentIsReply);
        }
        if parent.deleted { Err(Rejection::ParentDeleted) } else { Ok(()) }
    }

    fn edit(
        &self,
        comment_id: CommentId,
        body: &str,
        (facts, context): (&Facts, &Context),
    ) -> Result<Vec<Event>, Rejection> {
        let comment = self.comment(comment_id)?;
        if comment.deleted {
            return Err(Rejection::Deleted);
        }
        comment.check_editor(facts, context)?;
        if facts.author_erased {
            return Err(Rejection::AuthorErased);
        }
        let body = cleaned(body)?;
        if digest(&body) == comment.body_sha256 {
            return Ok(vec![]);
        }
        let mentions = called(&body, facts)?;
        let is_new = |user: &&UserId| !comment.called.contains(user);
        let mentions_added = mentions.iter().filter(is_new).copied().collect();
        let author_id = comment.author_id;
        Ok(vec![Event::CommentEdited { comment_id, author_id, body, mentions, mentions_added }])
    }

    fn delete(
        &self,
        comment_id: CommentId,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let comment = self.comment(comment_id)?;
        if !facts.moderator && !context.actor.acts_as(comment.author_id) {
            return Err(Rejection::AuthorOnly);
        }
        Ok((!comment.deleted).then_some(Event::CommentDeleted { comment_id }).into_iter().collect())
    }

    fn comment(&self, comment_id: CommentId) -> Result<&Comment, Rejection> {
        self.comments.get(&comment_id).ok_or(Rejection::Unknown)
    }
}

impl Comment {
    fn check_editor(&self, facts: &Facts, context: &Context) -> Result<(), Rejection> {
        if facts.moderator {
            return Ok(());
        }
        if !context.actor.acts_as(self.author_id) {
            return Err(Rejection::AuthorOnly);
        }
        let until = self.editable_until;
        if context.now < until { Ok(()) } else { Err(Rejection::EditTimeOver(until)) }
    }
}

/// What a comment says, its line ends as we keep them.
fn cleaned(body: &str) -> Result<String, Rejection> {
    text::lines(&body.replace("\r\n", "\n"), BODY_MAX_CHARS).map_err(Rejection::BodyInvalid)
}

/// Whom a comment calls, each once and in their order; a handle that is nobody's calls nobody.
fn called(body: &str, facts: &Facts) -> Result<Vec<UserId>, Rejection> {
    let handles = mention::handles(body);
    if handles.len() > HANDLES_MAX_COUNT {
        return Err(Rejection::MentionsTooMany);
    }
    Ok(handles.iter().filter_map(|handle| facts.users.get(handle)).copied().collect())
}
