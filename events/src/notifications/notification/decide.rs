//! The rules of a notification.

use super::{Command, Event, Link, Notification, Send, Status};
use crate::aggregate::{ActorKind, Class, Context, Decider};
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest title.
pub const TITLE_MAX_CHARS: usize = 200;
/// Longest message.
pub const MESSAGE_MAX_CHARS: usize = 4_000;
/// Longest stream name or id of a link.
pub const LINK_MAX_CHARS: usize = 128;
/// Longest key of the sender.
pub const DEDUPE_KEY_MAX_CHARS: usize = 200;

/// Why a notification refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "NOTIFICATION_")]
pub enum Rejection {
    /// There is no such notification.
    #[error("there is no such notification: look into the inbox")]
    Unknown,
    /// The notification exists already.
    #[error("the notification exists already: send another")]
    Exists,
    /// The caller is not its recipient.
    #[error("the notification is somebody else's: only its recipient may read or delete it")]
    NotYours,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The message cannot be used.
    #[error("message {0}")]
    MessageInvalid(Fault),
    /// The link does not name a stream.
    #[error(
        "link must have the name of a stream as type and its id as id: correct it or leave it out"
    )]
    LinkInvalid,
    /// The key cannot be used.
    #[error("dedupe_key {0}")]
    DedupeKeyInvalid(Fault),
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
            Self::Exists => Class::Conflict,
            Self::NotYours => Class::Forbidden,
            Self::TitleInvalid(_)
            | Self::MessageInvalid(_)
            | Self::LinkInvalid
            | Self::DedupeKeyInvalid(_) => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TitleInvalid(_) => Some("/title"),
            Self::MessageInvalid(_) => Some("/message"),
            Self::LinkInvalid => Some("/link"),
            Self::DedupeKeyInvalid(_) => Some("/dedupe_key"),
            Self::Unknown | Self::Exists | Self::NotYours => None,
        }
    }
}

impl Decider for Notification {
    const TYPE: &'static str = "notifications.notification";
    const MODULE: Module = Module::Notifications;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(
        &self,
        command: Command,
        (): &(),
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Send(send) => match self.status {
                Status::Absent => send_message(send),
                Status::Unread | Status::Read | Status::Deleted => Err(Rejection::Exists),
            },
            Command::MarkRead => {
                self.recipient_only(context)?;
                let unread = self.status == Status::Unread;
                Ok(if unread { vec![Event::Read] } else { vec![] })
            }
            Command::Delete => {
                self.recipient_only(context)?;
                let deleted = self.status == Status::Deleted;
                Ok(if deleted { vec![] } else { vec![Event::Deleted] })
            }
            Command::Expire => match (context.actor.kind, self.status) {
                (_, Status::Absent) => Err(Rejection::Unknown),
                (ActorKind::User | ActorKind::System, _) => Err(Rejection::NotYours),
                (ActorKind::Service, Status::Deleted) => Ok(vec![]),
                (ActorKind::Service, Status::Unread | Status::Read) => Ok(vec![Event::Expired]),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Notification {
    fn recipient_only(&self, context: &Context) -> Result<(), Rejection> {
        if self.status == Status::Absent {
            Err(Rejection::Unknown)
        } else if context.actor.acts_as(self.user_id) {
            Ok(())
        } else {
            Err(Rejection::NotYours)
        }
    }
}

fn send_message(send: Send) -> Result<Vec<Event>, Rejection> {
    let message = match text::lines(&send.message, MESSAGE_MAX_CHARS) {
        Err(Fault::Empty) => String::new(),
        message => message.map_err(Rejection::MessageInvalid)?,
    };
    let key = send.dedupe_key.map(|key| text::line(&key, DEDUPE_KEY_MAX_CHARS));
    Ok(vec![Event::Created {
        user_id: send.user_id,
        kind: send.kind,
        title: text::line(&send.title, TITLE_MAX_CHARS).map_err(Rejection::TitleInvalid)?,
        message,
        link: send.link.map(link).transpose()?,
        priority: send.priority,
        dedupe_key: key.transpose().map_err(Rejection::DedupeKeyInvalid)?,
    }])
}

fn link(link: Link) -> Result<Link, Rejection> {
    let named = text::is_identifier(&link.subject, LINK_MAX_CHARS);
    let identified = text::line(&link.id, LINK_MAX_CHARS).as_ref() == Ok(&link.id);
    if named && identified { Ok(link) } else { Err(Rejection::LinkInvalid) }
}
