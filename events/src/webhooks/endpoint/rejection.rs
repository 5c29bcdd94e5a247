//! Why an address that hears of events refuses.

use super::{DESCRIPTION_MAX_CHARS, ENDPOINTS_MAX_COUNT, EVENTS_MAX_COUNT, OVERLAP_MAX_MINUTES};
use crate::aggregate::Class;
use crate::text::Fault;

/// Why an address that hears of events refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "ENDPOINT_")]
pub enum Rejection {
    /// There is no such endpoint.
    #[error("there is no such endpoint: register one")]
    Unknown,
    /// The endpoint exists already.
    #[error("the endpoint exists already: register another")]
    Exists,
    /// The endpoint was deleted.
    #[error("the endpoint was deleted: register another")]
    Deleted,
    /// The endpoint hears of nothing now.
    #[error("the endpoint is disabled: enable it first")]
    Disabled,
    /// The organisation has as many endpoints as it may.
    #[error(
        "an organisation has at most {ENDPOINTS_MAX_COUNT} endpoints: delete one, or let one hear of more"
    )]
    TooMany,
    /// Nobody answers for the endpoint.
    #[error("nobody answers for the endpoint: register it as a user")]
    OwnerMissing,
    /// The address cannot be one.
    #[error("url must be an https address of a public host, without credentials and #: correct it")]
    UrlInvalid,
    /// There are no events to hear of, or too many names of such.
    #[error("events must name 1 to {EVENTS_MAX_COUNT}: name what the program needs, or use rbac.*")]
    EventsSize,
    /// There is no such event.
    #[error("events holds {0}, which no event is called: look at /webhooks/event-types")]
    EventUnknown(String),
    /// The description cannot be used.
    #[error("description {0}; at most {DESCRIPTION_MAX_CHARS} characters")]
    DescriptionInvalid(Fault),
    /// The secret before would sign for too long.
    #[error(
        "overlap_minutes is more than {OVERLAP_MAX_MINUTES}: let the program change over sooner"
    )]
    OverlapTooLong,
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
            Self::Exists | Self::Deleted | Self::Disabled | Self::TooMany => Class::Conflict,
            Self::OwnerMissing => Class::Forbidden,
            Self::UrlInvalid
            | Self::EventsSize
            | Self::EventUnknown(_)
            | Self::DescriptionInvalid(_)
            | Self::OverlapTooLong => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::UrlInvalid => Some("/url"),
            Self::EventsSize | Self::EventUnknown(_) => Some("/events"),
            Self::DescriptionInvalid(_) => Some("/description"),
            Self::OverlapTooLong => Some("/overlap_minutes"),
            Self::Unknown
            | Self::Exists
            | Self::Deleted
            | Self::Disabled
            | Self::TooMany
            | Self::OwnerMissing => None,
        }
    }
}
