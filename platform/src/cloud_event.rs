//! Events as anybody can read them: `CloudEvents` 1.0 as structured JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use events::envelope::meta;
use jiff::Timestamp;
use serde::Deserialize;

use crate::dataset::rows::string as text;
use crate::log::Record;

/// Adds the event to `out` as a `CloudEvents` 1.0 JSON object.
pub fn write(record: &Record<'_>, out: &mut String) {
    write_about(record, out);
    out.push_str(",\"data\":");
    line(out, record.payload);
    out.push('}');
}

/// The same without what has happened: only that it has, and at `dataref` where it can be read.
pub fn write_thin(record: &Record<'_>, dataref: &str, out: &mut String) {
    write_about(record, out);
    out.push_str(",\"dataref\":");
    text(out, dataref);
    out.push('}');
}

/// All but its data, and the end.
fn write_about(record: &Record<'_>, out: &mut String) {
    let _never = write!(
        out,
        "{{\"specversion\":\"1.0\",\"id\":\"{}\",\"source\":\"/tenants/{}/{}\",\"type\":",
        record.event_id, record.tenant_id, record.aggregate_type
    );
    text(out, record.event_type);
    out.push_str(",\"subject\":");
    text(out, record.aggregate_id);
    out.push_str(",\"time\":\"");
    time(out, record.recorded_at);
    let _never = write!(
        out,
        "\",\"datacontenttype\":\"application/json\",\"dataschema\":\"urn:annals:schema:{}:{}\",\
         \"sequence\":\"{:014}\",\"position\":{}",
        record.event_type, record.event_version, record.sequence, record.position
    );
    let lifted: Lifted<'_> = serde_json::from_str(record.metadata).unwrap_or_default();
    for (name, value) in [
        ("correlationid", &lifted.correlation_id),
        ("causationid", &lifted.causation_id),
        ("authtype", &lifted.actor_kind),
        ("authid", &lifted.actor_id),
        ("traceparent", &lifted.traceparent),
        ("idempotencykey", &lifted.idempotency_key),
    ] {
        if let Some(value) = value {
            let _never = write!(out, ",\"{name}\":");
            text(out, value);
        }
    }
}

/// What of the metadata `CloudEvents` have attributes for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Lifted<'a> {
    /// Shared by everything that follows from one request.
    #[serde(borrow)]
    pub correlation_id: Option<Cow<'a, str>>,
    /// The event that it follows from.
    #[serde(borrow)]
    pub causation_id: Option<Cow<'a, str>>,
    /// What the caller was.
    #[serde(borrow)]
    pub actor_kind: Option<Cow<'a, str>>,
    /// Who the caller was.
    #[serde(borrow)]
    pub actor_id: Option<Cow<'a, str>>,
    /// W3C Trace Context.
    #[serde(borrow)]
    pub traceparent: Option<Cow<'a, str>>,
    /// The key that the command came with.
    #[serde(borrow)]
    pub idempotency_key: Option<Cow<'a, str>>,
}

const _: () = {
    // The members above are these keys; a changed key must not pass unseen.
    assert!(matches!(meta::ACTOR_ID.as_bytes(), b"actor_id"));
    assert!(matches!(meta::ACTOR_KIND.as_bytes(), b"actor_kind"));
    assert!(matches!(meta::CORRELATION_ID.as_bytes(), b"correlation_id"));
    assert!(matches!(meta::CAUSATION_ID.as_bytes(), b"causation_id"));
    assert!(matches!(meta::TRACEPARENT.as_bytes(), b"traceparent"));
    assert!(matches!(meta::IDEMPOTENCY_KEY.as_bytes(), b"idempotency_key"));
};

/// JSON text on one line. What we write has no line breaks; in JSON they can only stand between tokens.
pub fn line(out: &mut String, json: &str) {
    if json.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
        out.push_str(&json.replace(['\n', '\r'], " "));
    } else {
        out.push_str(json);
    }
}

/// RFC 3339 in UTC with microseconds, as they are hashed.
pub fn time(out: &mut String, time: Timestamp) {
    let _never = write!(out, "{time:.6}");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_cloud_event_says_what_its_metadata_has_attributes_for() {
        let record = Record {
            position: 42,
            tenant_id: Uuid::from_u128(1),
            tenant_seq: 7,
            aggregate_type: "rbac.policy",
            aggregate_id: "p",
            sequence: 14,
            event_id: Uuid::from_u128(2),
            event_type: "rbac.policy.role_created",
            event_version: "1",
            payload: "{\"code\":\"clerk\"}",
            metadata: "{\"correlation_id\":\"c\",\"actor_kind\":\"user\",\"actor_id\":\"u\",\
                        \"idempotency_key\":\"k \\\"1\\\"\"}",
            recorded_at: Timestamp::UNIX_EPOCH,
            chain: &[1],
        };
        let mut text = String::new();
        write(&record, &mut text);
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["idempotencykey"], "k \"1\"");
        assert_eq!((&event["correlationid"], &event["authid"]), (&json!("c"), &json!("u")));
        assert_eq!(
            (&event["time"], &event["data"]["code"]),
            (&json!("1970-01-01T00:00:00.000000Z"), &json!("clerk"))
        );
        assert!(event.get("causationid").is_none());
    }
}
