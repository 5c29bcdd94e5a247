//! What can have happened to a trigger.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::UserId;
use crate::scheduling::{Modifiers, Spec, Subject};

/// A fact about a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody began it.
    #[serde(rename = "scheduling.trigger.created")]
    Created {
        /// What people call it.
        name: String,
        /// On whose behalf it happens.
        owned_by: UserId,
        /// What it leads to.
        target: Target,
        /// When.
        terms: Terms,
        /// Nothing happens up to this moment.
        counts_from: Timestamp,
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
        /// What it belongs to, which alone says how it goes on with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        managed_by: Option<Subject>,
    },
    /// It is called something else.
    #[serde(rename = "scheduling.trigger.renamed")]
    Renamed {
        /// What people call it.
        name: String,
    },
    /// It leads to something else.
    #[serde(rename = "scheduling.trigger.retargeted")]
    Retargeted {
        /// What it leads to.
        target: Target,
    },
    /// It happens at other times, from a moment on.
    #[serde(rename = "scheduling.trigger.revised")]
    Revised {
        /// The number of the version, from 2 on.
        version: u32,
        /// When.
        terms: Terms,
        /// Occurrences up to this moment keep the version they had.
        effective_from: Timestamp,
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
    },
    /// Nothing happens for a while.
    #[serde(rename = "scheduling.trigger.paused")]
    Paused,
    /// It goes on.
    #[serde(rename = "scheduling.trigger.resumed")]
    Resumed {
        /// What was due up to this moment is not made up for.
        counts_from: Timestamp,
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
    },
    /// It is due at another time, because days were closed or opened.
    #[serde(rename = "scheduling.trigger.replanned")]
    Replanned {
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
    },
    /// It happened.
    #[serde(rename = "scheduling.trigger.fired")]
    Fired {
        /// When it was due.
        occurrence: Timestamp,
        /// The version that it was due by.
        version: u32,
        /// How many thresholds the counter has passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crossings: Option<u64>,
        /// Where the counter stood.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reading: Option<u64>,
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
    },
    /// Occurrences did not happen.
    #[serde(rename = "scheduling.trigger.skipped")]
    Skipped {
        /// The first of them.
        occurrence: Timestamp,
        /// The last of them.
        until: Timestamp,
        /// How many, as far as they were counted: of a closed day one.
        count: u64,
        /// Why.
        reason: SkipReason,
        /// What the calendar calls the days.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// When it is due next, as planned now.
        next_at: Option<Timestamp>,
    },
    /// The command that an occurrence leads to was carried out.
    #[serde(rename = "scheduling.trigger.command_succeeded")]
    CommandSucceeded {
        /// When it was due.
        occurrence: Timestamp,
        /// The operation id of the command.
        command: String,
        /// The record that the command was about, or brought into being.
        aggregate_id: String,
    },
    /// The command that an occurrence leads to was refused; nobody will try it again.
    #[serde(rename = "scheduling.trigger.command_refused")]
    CommandRefused {
        /// When it was due.
        occurrence: Timestamp,
        /// The operation id of the command.
        command: String,
        /// Why, for programs.
        code: String,
        /// Why, for people.
        detail: String,
    },
    /// It was ended.
    #[serde(rename = "scheduling.trigger.cancelled")]
    Cancelled,
    /// Nothing of it is left to happen.
    #[serde(rename = "scheduling.trigger.completed")]
    Completed,
}

/// Why an occurrence does not happen.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::VariantArray,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SkipReason {
    /// The day is blacked out.
    Blackout,
    /// The day is no business day.
    NonBusiness,
    /// The month has no such day.
    Nonexistent,
    /// Something else has to be done before.
    Dependency,
    /// Nobody was there when it was due.
    Misfire,
    /// Somebody wanted it so.
    Requested,
}

/// What a trigger leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The operation id of a command.
    pub command: String,
    /// What the command is told.
    #[serde(default)]
    pub args: Value,
}

/// When a trigger happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// When it recurs.
    pub spec: Spec,
    /// What holds for every occurrence.
    pub modifiers: Modifiers,
    /// Nothing happens before it.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    /// Nothing happens after it.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// So often it happens at most.
    #[serde(default)]
    pub max_fires: Option<u64>,
    /// So many seconds before an occurrence is due it happens; none for when it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_secs: Option<u64>,
}

impl crate::aggregate::Event for Event {}
