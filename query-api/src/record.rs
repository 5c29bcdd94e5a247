//! Events as JSON: as records of the log, which an auditor can verify, and as `CloudEvents`, which anybody can read.

use std::borrow::Cow;
use std::fmt::Write as _;

use events::envelope::meta;
use jiff::Timestamp;
use platform::dataset::rows::string as text;
use serde::Deserialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// The columns of `log.events` that [`Record::of`] reads, in the order in which they are copied out.
pub(crate) const COLUMNS: &str = "e.position, e.tenant_id, e.tenant_seq, e.aggregate_type, \
    e.aggregate_id, e.sequence, e.event_id, e.event_type, e.event_version, e.recorded_at, \
    e.payload::text, e.metadata::text, e.chain";

/// One event as it stands in the log; its texts stay texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) position: i64,
    pub(crate) tenant_id: Uuid,
    pub(crate) tenant_seq: i64,
    pub(crate) aggregate_type: &'a str,
    pub(crate) aggregate_id: &'a str,
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: &'a str,
    pub(crate) event_version: &'a str,
    pub(crate) recorded_at: Timestamp,
    pub(crate) payload: &'a str,
    pub(crate) metadata: &'a str,
    pub(crate) chain: &'a [u8],
}

impl<'a> Record<'a> {
    /// A row of [`COLUMNS`].
    pub(crate) fn of(row: &'a PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get("position")?,
            tenant_id: row.try_get("tenant_id")?,
            tenant_seq: row.try_get("tenant_seq")?,
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            recorded_at: row.try_get::<jiff_sqlx::Timestamp, _>("recorded_at")?.to_jiff(),
            payload: row.try_get("payload")?,
            metadata: row.try_get("metadata")?,
            chain: row.try_get("chain")?,
        })
    }

    /// Adds the record to `out` as one JSON object; payload and metadata keep the exact text that the chain covers.
    pub(crate) fn write(&self, out: &mut String) {
        let _never = write!(
            out,
            "{{\"position\":{},\"tenant_id\":\"{}\",\"tenant_seq\":{},\"aggregate_type\":",
            self.position, self.tenant_id, self.tenant_seq
        );
        text(out, self.aggregate_type);
        out.push_str(",\"aggregate_id\":");
        text(out, self.aggregate_id);
        let _never = write!(
            out,
            ",\"sequence\":{},\"event_id\":\"{}\",\"event_type\":",
            self.sequence, self.event_id
        );
        text(out, self.event_type);
        out.push_str(",\"event_version\":");
        text(out, self.event_version);
        out.push_str(",\"recorded_at\":\"");
        time(out, self.recorded_at);
        out.push_str("\",\"payload\":");
        line(out, self.payload);
        out.push_str(",\"metadata\":");
        line(out, self.metadata);
        out.push_str(",\"chain\":\"");
        hex(out, self.chain);
        out.push_str("\"}");
    }

    /// Adds the event to `out` as a `CloudEvents` 1.0 JSON object.
    pub(crate) fn write_cloud_event(&self, out: &mut String) {
        let _never = write!(
            out,
            "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"/tenants/{}/{}\",\"type\":",
            self.event_id, self.tenant_id, self.aggregate_type
        );
        text(out, self.event_type);
        out.push_str(",\"subject\":");
        text(out, self.aggregate_id);
        out.push_str(",\"time\":\"");
        time(out, self.recorded_at);
        let _never = write!(
            out,
            "\",\"datacontenttype\":\"application/json\",\"dataschema\":\"urn:annals:schema:{}:{}\",\
             \"sequence\":\"{:014}\",\"position\":{}",
            self.event_type, self.event_version, self.sequence, self.position
        );
        let lifted: Lifted<'_> = serde_json::from_str(self.metadata).unwrap_or_default();
        for (name, value) in [
            ("correlationid", &lifted.correlation_id),
            ("causationid", &lifted.causation_id),
            ("authtype", &lifted.actor_kind),
            ("authid", &lifted.actor_id),
            ("traceparent", &lifted.traceparent),
        ] {
            if let Some(value) = value {
                let _never = write!(out, ",\"{name}\":");
                text(out, value);
            }
        }
        out.push_str(",\"data\":");
        line(out, self.payload);
        out.push('}');
    }
}

/// What of the metadata `CloudEvents` have attributes for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Lifted<'a> {
    #[serde(borrow)]
    pub(crate) correlation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) causation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) actor_kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) actor_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) traceparent: Option<Cow<'a, str>>,
}

const _: () = {
    // The members above are these keys; a changed key must not pass unseen.
    assert!(matches!(meta::ACTOR_ID.as_bytes(), b"actor_id"));
    assert!(matches!(meta::ACTOR_KIND.as_bytes(), b"actor_kind"));
    assert!(matches!(meta::CORRELATION_ID.as_bytes(), b"correlation_id"));
    assert!(matches!(meta::CAUSATION_ID.as_bytes(), b"causation_id"));
    assert!(matches!(meta::TRACEPARENT.as_bytes(), b"traceparent"));
};

/// JSON text on one line. What we write has no line breaks; in JSON they can only stand between tokens.
fn line(out: &mut String, json: &str) {
    if json.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
        out.push_str(&json.replace(['\n', '\r'], " "));
    } else {
        out.push_str(json);
    }
}

/// RFC 3339 in UTC with microseconds, as they are hashed.
pub(crate) fn time(out: &mut String, time: Timestamp) {
    let _never = write!(out, "{time:.6}");
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
