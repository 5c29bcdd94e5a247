//! The closed list of settings: each with its type, its bounds and its default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::text::{self, Fault};

/// A setting; its text is stored in events, so none is ever renamed or removed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::VariantArray,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumMessage,
)]
#[rustfmt::skip]
pub enum Key {
    /// Hours for which a finished export can be fetched.
    #[serde(rename = "exports.kept_hours")] #[strum(serialize = "exports.kept_hours")]
    ExportsKeptHours,
    /// Rows that one export may be made of at most.
    #[serde(rename = "exports.most_rows")] #[strum(serialize = "exports.most_rows")]
    ExportsMostRows,
    /// The paper that exports as PDF are laid out for.
    #[serde(rename = "exports.paper")] #[strum(serialize = "exports.paper")]
    ExportsPaper,
    /// The day on which a week begins in calendars and reports.
    #[serde(rename = "calendar.first_day_of_week")] #[strum(serialize = "calendar.first_day_of_week")]
    CalendarFirstDayOfWeek,
    /// Hours of a full working day.
    #[serde(rename = "calendar.working_day_hours")] #[strum(serialize = "calendar.working_day_hours")]
    CalendarWorkingDayHours,
    /// Hours after which a session that nobody uses ends.
    #[serde(rename = "identity.session_idle_hours")] #[strum(serialize = "identity.session_idle_hours")]
    IdentitySessionIdleHours,
    /// Sessions that one user may have at a time.
    #[serde(rename = "identity.sessions_per_user")] #[strum(serialize = "identity.sessions_per_user")]
    IdentitySessionsPerUser,
    /// Days for which a notification stays in the inbox.
    #[serde(rename = "notifications.kept_days")] #[strum(serialize = "notifications.kept_days")]
    NotificationsKeptDays,
    /// The name in which e-mail is sent.
    #[serde(rename = "notifications.mail_sender")] #[strum(serialize = "notifications.mail_sender")]
    NotificationsMailSender,
    /// Days for which a backup is kept.
    #[serde(rename = "backups.kept_days")] #[strum(serialize = "backups.kept_days")]
    BackupsKeptDays,
    /// Whether users are told of the roles they are given.
    #[serde(rename = "notifications.tell_of_roles")] #[strum(serialize = "notifications.tell_of_roles")]
    NotificationsTellOfRoles,
    /// Whether every command has to come with an Idempotency-Key.
    #[serde(rename = "api.idempotency_key_required")] #[strum(serialize = "api.idempotency_key_required")]
    ApiIdempotencyKeyRequired,
    /// Whether users are sent an e-mail when one of their files is ready or could not be made.
    #[serde(rename = "notifications.mail_of_exports")] #[strum(serialize = "notifications.mail_of_exports")]
    NotificationsMailOfExports,
    /// Whether users are sent an e-mail when they get a role, lose one or are about to.
    #[serde(rename = "notifications.mail_of_roles")] #[strum(serialize = "notifications.mail_of_roles")]
    NotificationsMailOfRoles,
    /// Whether users are sent an e-mail when one of their API keys ends soon.
    #[serde(rename = "notifications.mail_of_api_keys")] #[strum(serialize = "notifications.mail_of_api_keys")]
    NotificationsMailOfApiKeys,
    /// Whether users are sent an e-mail when a backup that they asked for is complete or failed.
    #[serde(rename = "notifications.mail_of_backups")] #[strum(serialize = "notifications.mail_of_backups")]
    NotificationsMailOfBackups,
    /// Whether users are sent an e-mail when somebody whom they invited has joined.
    #[serde(rename = "notifications.mail_of_invitations")] #[strum(serialize = "notifications.mail_of_invitations")]
    NotificationsMailOfInvitations,
    /// Whether users are sent an e-mail when somebody sends them a message.
    #[serde(rename = "notifications.mail_of_messages")] #[strum(serialize = "notifications.mail_of_messages")]
    NotificationsMailOfMessages,
    /// Whether users are sent an e-mail when what one of their schedules leads to was refused.
    #[serde(rename = "notifications.mail_of_schedules")] #[strum(serialize = "notifications.mail_of_schedules")]
    NotificationsMailOfSchedules,
    /// Whether users are sent an e-mail when a report that is for them is ready.
    #[serde(rename = "notifications.mail_of_reports")] #[strum(serialize = "notifications.mail_of_reports")]
    NotificationsMailOfReports,
    /// Whether users are sent an e-mail when a comment calls them by name.
    #[serde(rename = "notifications.mail_of_mentions")] #[strum(serialize = "notifications.mail_of_mentions")]
    NotificationsMailOfMentions,
    /// Whether users are sent an e-mail when a program that they answer for has not answered to webhooks for long, or is told of nothing any more.
    #[serde(rename = "notifications.mail_of_webhooks")] #[strum(serialize = "notifications.mail_of_webhooks")]
    NotificationsMailOfWebhooks,
    /// Whether users are sent an e-mail when the warranty of an asset that they answer for is to end.
    #[serde(rename = "notifications.mail_of_warranties")] #[strum(serialize = "notifications.mail_of_warranties")]
    NotificationsMailOfWarranties,
    /// Whether users are sent an e-mail when a task is assigned to them, is due within a day, or was due.
    #[serde(rename = "notifications.mail_of_tasks")] #[strum(serialize = "notifications.mail_of_tasks")]
    NotificationsMailOfTasks,
    /// Mebibytes that the files of one user may take.
    #[serde(rename = "files.user_quota_mib")] #[strum(serialize = "files.user_quota_mib")]
    FilesUserQuotaMib,
    /// Mebibytes that the files of the organisation may take.
    #[serde(rename = "files.organization_quota_mib")] #[strum(serialize = "files.organization_quota_mib")]
    FilesOrganizationQuotaMib,
}

/// What a setting can hold, and what it holds by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Yes or no.
    Boolean {
        /// By default.
        default: bool,
    },
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// By default.
        default: i64,
    },
    /// One of a few words.
    Choice {
        /// The words.
        of: &'static [&'static str],
        /// By default.
        default: &'static str,
    },
    /// One line of text.
    Text {
        /// The most characters.
        max_chars: usize,
        /// By default.
        default: &'static str,
    },
}

/// What a setting holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A word or a line of text.
    Text(String),
}

/// Why a value does not fit a setting; reads on after the name of its field.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Misfit {
    /// It is not yes or no.
    #[default]
    #[error("must be true or false")]
    NotBoolean,
    /// It is not a whole number.
    #[error("must be a whole number from {min} to {max}")]
    NotInteger {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// It is too small.
    #[error("is less than {min}: give a whole number from {min} to {max}")]
    TooSmall {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// It is too large.
    #[error("is more than {max}: give a whole number from {min} to {max}")]
    TooLarge {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// It is none of the words.
    #[error("must be one of {}", .0.join(", "))]
    NotChoice(&'static [&'static str]),
    /// It is no text.
    #[error("must be one line of at most {0} characters")]
    NotText(usize),
    /// It is a text that cannot be used.
    #[error(transparent)]
    Text(#[from] Fault),
}

const WEEK_STARTS: &[&str] = &["monday", "friday", "saturday", "sunday"];

impl Key {
    /// Every setting.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Every setting that something reads. One whose module is not there yet is known where it is stored, and cannot be set.
    pub fn offered() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|key| match key {
            Self::CalendarFirstDayOfWeek | Self::CalendarWorkingDayHours => false,
            Self::ExportsKeptHours
            | Self::ExportsMostRows
            | Self::ExportsPaper
            | Self::IdentitySessionIdleHours
            | Self::IdentitySessionsPerUser
            | Self::NotificationsKeptDays
            | Self::NotificationsMailSender
            | Self::BackupsKeptDays
            | Self::NotificationsTellOfRoles
            | Self::ApiIdempotencyKeyRequired
            | Self::NotificationsMailOfExports
            | Self::NotificationsMailOfRoles
            | Self::NotificationsMailOfApiKeys
            | Self::NotificationsMailOfBackups
            | Self::NotificationsMailOfInvitations
            | Self::NotificationsMailOfMessages
            | Self::NotificationsMailOfSchedules
            | Self::NotificationsMailOfReports
            | Self::NotificationsMailOfMentions
            | Self::NotificationsMailOfWebhooks
            | Self::NotificationsMailOfWarranties
            | Self::NotificationsMailOfTasks
            | Self::FilesUserQuotaMib
            | Self::FilesOrganizationQuotaMib => true,
        })
    }

    /// Its name, `<module>.<what>`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// One sentence for people.
    pub fn title(self) -> &'static str {
        strum::EnumMessage::get_documentation(&self).unwrap_or_default()
    }

    /// What it can hold.
    pub fn form(self) -> Form {
        let integer = |min, max, default| Form::Integer { min, max, default };
        match self {
            Self::ExportsKeptHours => integer(1, 365 * 24, 14 * 24),
            Self::ExportsMostRows => integer(1, 1_000_000_000, 10_000_000),
            Self::ExportsPaper => Form::Choice { of: &["a4", "letter"], default: "a4" },
            Self::CalendarFirstDayOfWeek => Form::Choice { of: WEEK_STARTS, default: "monday" },
            Self::CalendarWorkingDayHours => integer(1, 24, 8),
            Self::IdentitySessionIdleHours => integer(1, 90 * 24, 30 * 24),
            Self::IdentitySessionsPerUser => integer(1, 100, 20),
            Self::NotificationsKeptDays => integer(1, 3_650, 365),
            Self::NotificationsMailSender => Form::Text { max_chars: 100, default: "Annals" },
            Self::BackupsKeptDays => integer(7, 3_650, 90),
            Self::NotificationsTellOfRoles
            | Self::NotificationsMailOfExports
            | Self::NotificationsMailOfRoles
            | Self::NotificationsMailOfApiKeys
            | Self::NotificationsMailOfBackups
            | Self::NotificationsMailOfInvitations
            | Self::NotificationsMailOfMessages
            | Self::NotificationsMailOfSchedules
            | Self::NotificationsMailOfReports
            | Self::NotificationsMailOfMentions
            | Self::NotificationsMailOfWebhooks
            | Self::NotificationsMailOfWarranties
            | Self::NotificationsMailOfTasks => Form::Boolean { default: true },
            Self::ApiIdempotencyKeyRequired => Form::Boolean { default: false },
            Self::FilesUserQuotaMib => integer(1, 16 * 1024 * 1024, 10 * 1024),
            Self::FilesOrganizationQuotaMib => integer(1, 1024 * 1024 * 1024, 100 * 1024),
        }
    }

    /// Whether a unit may choose for itself.
    pub fn is_per_unit(self) -> bool {
        match self {
            Self::CalendarFirstDayOfWeek | Self::CalendarWorkingDayHours | Self::ExportsPaper => {
                true
            }
            Self::ExportsKeptHours
            | Self::ExportsMostRows
            | Self::IdentitySessionIdleHours
            | Self::IdentitySessionsPerUser
            | Self::NotificationsKeptDays
            | Self::NotificationsMailSender
            | Self::BackupsKeptDays
            | Self::NotificationsTellOfRoles
            | Self::ApiIdempotencyKeyRequired
            | Self::NotificationsMailOfExports
            | Self::NotificationsMailOfRoles
            | Self::NotificationsMailOfApiKeys
            | Self::NotificationsMailOfBackups
            | Self::NotificationsMailOfInvitations
            | Self::NotificationsMailOfMessages
            | Self::NotificationsMailOfSchedules
            | Self::NotificationsMailOfReports
            | Self::NotificationsMailOfMentions
            | Self::NotificationsMailOfWebhooks
            | Self::NotificationsMailOfWarranties
            | Self::NotificationsMailOfTasks
            | Self::FilesUserQuotaMib
            | Self::FilesOrganizationQuotaMib => false,
        }
    }

    /// Whether a user may choose for themselves.
    pub fn is_per_user(self) -> bool {
        match self {
            Self::ExportsPaper
            | Self::NotificationsTellOfRoles
            | Self::NotificationsMailOfExports
            | Self::NotificationsMailOfRoles
            | Self::NotificationsMailOfApiKeys
            | Self::NotificationsMailOfBackups
            | Self::NotificationsMailOfInvitations
            | Self::NotificationsMailOfMessages
            | Self::NotificationsMailOfSchedules
            | Self::NotificationsMailOfReports
            | Self::NotificationsMailOfMentions
            | Self::NotificationsMailOfWebhooks
            | Self::NotificationsMailOfWarranties
            | Self::NotificationsMailOfTasks => true,
            Self::CalendarFirstDayOfWeek
            | Self::CalendarWorkingDayHours
            | Self::ExportsKeptHours
            | Self::ExportsMostRows
            | Self::IdentitySessionIdleHours
            | Self::IdentitySessionsPerUser
            | Self::NotificationsKeptDays
            | Self::NotificationsMailSender
            | Self::BackupsKeptDays
            | Self::ApiIdempotencyKeyRequired
            | Self::FilesUserQuotaMib
            | Self::FilesOrganizationQuotaMib => false,
        }
    }

    /// The JSON Schema (draft 2020-12) of what it can hold.
    pub fn schema(self) -> serde_json::Value {
        let mut schema = match self.form() {
            Form::Boolean { .. } => json!({"type": "boolean"}),
            Form::Integer { min, max, .. } => {
                json!({"type": "integer", "minimum": min, "maximum": max})
            }
            Form::Choice { of, .. } => json!({"type": "string", "enum": of}),
            Form::Text { max_chars, .. } => {
                json!({"type": "string", "minLength": 1, "maxLength": max_chars})
            }
        };
        schema["title"] = self.title().into();
        schema["default"] = json!(self.form().default_value());
        schema
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean { .. } => f.write_str("true or false"),
            Self::Integer { min, max, .. } => write!(f, "a whole number from {min} to {max}"),
            Self::Choice { of, .. } => write!(f, "one of {}", of.join(", ")),
            Self::Text { max_chars, .. } => write!(f, "one line of at most {max_chars} characters"),
        }
    }
}

impl Form {
    /// What holds where nothing was set.
    pub fn default_value(self) -> Value {
        match self {
            Self::Boolean { default } => Value::Boolean(default),
            Self::Integer { default, .. } => Value::Integer(default),
            Self::Choice { default, .. } | Self::Text { default, .. } => {
                Value::Text(default.to_owned())
            }
        }
    }

    /// The value that a client means, or why it does not fit.
    pub fn read(self, value: &serde_json::Value) -> Result<Value, Misfit> {
        match self {
            Self::Boolean { .. } => value.as_bool().map(Value::Boolean).ok_or(Misfit::NotBoolean),
            Self::Integer { min, max, .. } => match value.as_i64() {
                Some(number) if number < min => Err(Misfit::TooSmall { min, max }),
                Some(number) if number > max => Err(Misfit::TooLarge { min, max }),
                Some(number) => Ok(Value::Integer(number)),
                None => Err(Misfit::NotInteger { min, max }),
            },
            Self::Choice { of, .. } => {
                let word = value.as_str().filter(|word| of.contains(word));
                word.map(|word| Value::Text(word.to_owned())).ok_or(Misfit::NotChoice(of))
            }
            Self::Text { max_chars, .. } => {
                let text = value.as_str().ok_or(Misfit::NotText(max_chars))?;
                Ok(Value::Text(text::line(text, max_chars)?))
            }
        }
    }

    /// Whether it can hold this value, which was perhaps set under other bounds.
    pub fn admits(self, value: &Value) -> bool {
        self.read(&json!(value)).as_ref() == Ok(value)
    }
}

impl Value {
    /// Yes or no, of a setting that is one.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            Self::Integer(_) | Self::Text(_) => None,
        }
    }

    /// The text, of a setting that is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Boolean(_) | Self::Integer(_) => None,
        }
    }

    /// The number, of a setting that is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Boolean(_) | Self::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_setting_has_a_name_a_title_and_a_default_that_fits() {
        let mut names = BTreeSet::new();
        for key in Key::ALL {
            let name = key.name();
            assert!(names.insert(name), "{name} twice");
            assert!(text::is_identifier(name, 64) && name.contains('.'), "{name}");
            assert!(key.title().ends_with('.'), "{name} has no title");
            assert!(key.form().admits(&key.form().default_value()), "{name}");
            assert_eq!(serde_json::to_value(key).unwrap(), name);
            assert_eq!(name.parse(), Ok(*key));
        }
        assert!(names.len() >= 8);
    }

    #[test]
    fn every_schema_says_type_bounds_and_default() {
        assert_eq!(
            Key::ExportsKeptHours.schema(),
            json!({
                "title": "Hours for which a finished export can be fetched.",
                "type": "integer", "minimum": 1, "maximum": 8760, "default": 336,
            })
        );
        assert_eq!(Key::ExportsPaper.schema()["enum"], json!(["a4", "letter"]));
        assert_eq!(Key::NotificationsMailSender.schema()["maxLength"], 100);
        assert_eq!(Key::NotificationsTellOfRoles.schema()["type"], "boolean");
    }

    #[test]
    fn a_number_keeps_to_its_bounds() {
        let form = Key::ExportsKeptHours.form();
        let (min, max) = (1, 8760);
        for good in [1, 8760] {
            assert_eq!(form.read(&json!(good)), Ok(Value::Integer(good)));
        }
        assert_eq!(form.read(&json!(0)), Err(Misfit::TooSmall { min, max }));
        assert_eq!(form.read(&json!(8761)), Err(Misfit::TooLarge { min, max }));
        for bad in [json!(1.5), json!("1"), json!(null), json!(true), json!(u64::MAX), json!([1])] {
            assert_eq!(form.read(&bad), Err(Misfit::NotInteger { min, max }), "{bad}");
        }
        let said = Misfit::TooLarge { min, max }.to_string();
        assert_eq!(said, "is more than 8760: give a whole number from 1 to 8760");
    }

    #[test]
    fn words_texts_and_truths_are_read_strictly() {
        let paper = Key::ExportsPaper.form();
        assert_eq!(paper.read(&json!("letter")), Ok(Value::Text("letter".into())));
        assert_eq!(paper.read(&json!("A4")), Err(Misfit::NotChoice(&["a4", "letter"])));
        let sender = Key::NotificationsMailSender.form();
        assert_eq!(sender.read(&json!(" Acme ")), Ok(Value::Text("Acme".into())));
        assert_eq!(sender.read(&json!("a\nb")), Err(Misfit::Text(Fault::Control)));
        assert_eq!(sender.read(&json!("x".repeat(101))), Err(Misfit::Text(Fault::TooLong(100))));
        assert_eq!(sender.read(&json!(7)), Err(Misfit::NotText(100)));
        let told = Key::NotificationsTellOfRoles.form();
        assert_eq!(told.read(&json!(true)), Ok(Value::Boolean(true)));
        assert_eq!(told.read(&json!("true")), Err(Misfit::NotBoolean));
    }
}
