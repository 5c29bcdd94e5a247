//! What can have happened to an address that hears of events.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{DeliveryId, SecretId, UserId};
use crate::webhooks::Wanted;

/// A fact about an address that hears of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// An address was registered: it hears of what comes after.
    #[serde(rename = "webhooks.endpoint.registered")]
    Registered {
        /// Where.
        url: String,
        /// Of which events: names, or their beginnings and a star, in order.
        events: Vec<Wanted>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// In whose name it is told.
        owned_by: UserId,
        /// The row of its secret.
        secret_id: SecretId,
    },
    /// Where it is, what it hears of or what it is for is another.
    #[serde(rename = "webhooks.endpoint.revised")]
    Revised {
        /// Where.
        url: String,
        /// Of which events, in order.
        events: Vec<Wanted>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// It has another secret.
    #[serde(rename = "webhooks.endpoint.secret_rotated")]
    SecretRotated {
        /// The row of its secret.
        secret_id: SecretId,
        /// Until when the secret before signs as well; no longer when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_valid_until: Option<Timestamp>,
    },
    /// It hears of nothing until it is enabled.
    #[serde(rename = "webhooks.endpoint.disabled")]
    Disabled {
        /// Why.
        reason: DisableReason,
    },
    /// It hears of what comes after.
    #[serde(rename = "webhooks.endpoint.enabled")]
    Enabled {
        /// In whose name it is told.
        owned_by: UserId,
    },
    /// It was to hear of this very event.
    #[serde(rename = "webhooks.endpoint.test_requested")]
    TestRequested,
    /// It was to hear of an event once more.
    #[serde(rename = "webhooks.endpoint.redelivery_requested")]
    RedeliveryRequested {
        /// What it was told, or was to be.
        delivery_id: DeliveryId,
        /// Of which event.
        event_id: Uuid,
        /// Where that stands in the log.
        position: i64,
    },
    /// It could not be told of an event, however often that was tried.
    #[serde(rename = "webhooks.endpoint.delivery_dead_lettered")]
    DeliveryDeadLettered {
        /// What was to be told.
        delivery_id: DeliveryId,
        /// Of which event.
        event_id: Uuid,
        /// How often it was tried.
        attempts: u32,
        /// The status of the last answer, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_status: Option<u16>,
    },
    /// Whoever answers for it is told that it has not answered for long.
    #[serde(rename = "webhooks.endpoint.failing_announced")]
    FailingAnnounced {
        /// Since when.
        since: Timestamp,
    },
    /// It hears of nothing any more.
    #[serde(rename = "webhooks.endpoint.deleted")]
    Deleted,
}

/// Why an address hears of nothing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisableReason {
    /// Somebody said so.
    User,
    /// It has not answered for days.
    Failing,
    /// It said that it is gone.
    Gone,
    /// In whose name it was told may not see events any more.
    OwnerLost,
}

impl crate::aggregate::Event for Event {}
