//! A log record as a NATS message: `CloudEvents` 1.0 binary mode, plus what a reader needs to rebuild the record exactly.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use uuid::Uuid;

/// `CloudEvents` demands that these and everything outside ASCII are percent-encoded.
const ATTRIBUTE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
/// Our own headers keep their quotes, so that JSON does not triple.
const OWN: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// Above this a message only says where in the log the event stands.
const CLAIM_CHECK_BYTES: usize = 256 * 1024;

/// A header that messages have.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// Whether every message has it.
    pub always: bool,
    /// What stands in it.
    pub meaning: &'static str,
}

/// Declares the headers once, for the code and for the description.
macro_rules! headers {
    ($($constant:ident $name:literal $always:literal $meaning:literal;)*) => {
        $(const $constant: HeaderName = HeaderName::from_static($name);)*
        /// Every header that messages have.
        pub const HEADERS: &[Header] =
            &[$(Header { name: $name, always: $always, meaning: $meaning }),*];
    };
}

/// What `JetStream` reads of messages besides.
pub const TRANSPORT: &[Header] = &[
    Header {
        name: "Nats-Expected-Last-Sequence",
        always: true,
        meaning: "the message before; another relay's is refused by it",
    },
    Header {
        name: "Nats-Msg-Id",
        always: false,
        meaning: "id of the event; the stream forgets duplicates by it",
    },
];

headers! {
    SPECVERSION "ce-specversion" true "1.0";
    ID "ce-id" true "UUIDv7 of the event; receivers forget duplicates by it";
    SOURCE "ce-source" true "/tenants/<tenant>/<aggregate type>";
    TYPE "ce-type" true "the stored event type";
    SUBJECT "ce-subject" true "id of the aggregate";
    TIME "ce-time" true "when it was recorded (RFC 3339)";
    CONTENT_TYPE "ce-datacontenttype" true "application/json";
    SCHEMA "ce-dataschema" true "urn:annals:schema:<event type>:<version>";
    SEQUENCE "ce-sequence" true "version of the aggregate, padded so that it sorts as text";
    CORRELATION "ce-correlationid" false "shared by everything that follows from one request";
    CAUSATION "ce-causationid" false "the event that it follows from";
    AUTH_TYPE "ce-authtype" false "user, service or system";
    AUTH_ID "ce-authid" false "who";
    TRACEPARENT "ce-traceparent" false "W3C Trace Context";
    IDEMPOTENCY "ce-idempotencykey" false "the key that its command came with";
    DATAREF "ce-dataref" false "of an event too large for the bus, where it stands: urn:annals:event:<log>:<position>; the body is empty then";
    LOG "annals-log" true "the log that positions count in: <epoch>.<microseconds since 1970>";
    POSITION "annals-position" true "place in the log, without gaps";
    TENANT_SEQ "annals-tenant-seq" true "place in the organisation's own sequence, without gaps";
    CHAIN "annals-chain" true "the organisation's chain after the event: SHA-256, in hexadecimal digits";
    METADATA "annals-metadata" false "the metadata's exact text, percent-encoded; absent beside ce-dataref";
}

const SCHEMA_PREFIX: &str = "urn:annals:schema:";

/// Which log a position counts in: a restored or newly made database starts another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId {
    /// `log.head.epoch`.
    pub epoch: i32,
    /// `log.head.born_at` in microseconds since 1970.
    pub born_us: i64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.born_us)
    }
}

impl FromStr for LogId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (epoch, born) = text.split_once('.').ok_or(Malformed("annals-log"))?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| Malformed("annals-log"))?,
            born_us: born.parse().map_err(|_| Malformed("annals-log"))?,
        })
    }
}

/// One event as it stands in the log, on its way over the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The log that `position` counts in.
    pub log: LogId,
    /// Global place in the log.
    pub position: i64,
    /// The organisation.
    pub tenant_id: Uuid,
    /// Place in the organisation's own sequence.
    pub tenant_seq: i64,
    /// Stream name, `<module>.<aggregate>`.
    pub aggregate_type: String,
    /// Stream id.
    pub aggregate_id: String,
    /// Version of the stream after this event.
    pub sequence: i64,
    /// The event's own id.
    pub event_id: Uuid,
    /// Stored name, `<module>.<aggregate>.<past_tense>`.
    pub event_type: String,
    /// Schema version of the payload.
    pub event_version: String,
    /// RFC 3339 in UTC with microseconds.
    pub recorded_at: String,
    /// The metadata's exact text.
    pub metadata: String,
    /// The organisation's tamper-evidence chain after this event.
    pub chain: Vec<u8>,
    /// The payload's exact text.
    pub payload: Bytes,
}

/// What stood in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// The whole event.
    Whole(Box<Message>),
    /// An event too large for the bus: read it from the log.
    Reference {
        /// The log that `position` counts in.
        log: LogId,
        /// Where it stands.
        position: i64,
    },
}

/// A message that no relay of ours published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header {0} is missing or malformed")]
pub struct Malformed(pub &'static str);

/// What of the metadata has a place of its own in `CloudEvents`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Lifted<'a> {
    #[serde(borrow)]
    correlation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    causation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor_kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    actor_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    idempotency_key: Option<Cow<'a, str>>,
}

impl Message {
    /// The subject below `events.`: tenant and event type. Characters that would change the subject's shape become `_`;
    /// the exact type stands in a header.
    pub fn subject(&self) -> String {
        let mut subject = format!("events.{}", self.tenant_id);
        for token in self.event_type.split('.') {
            subject.push('.');
            if token.is_empty() {
                subject.push('_');
            }
            subject.extend(token.chars().map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
                _ => '_',
            }));
        }
        subject
    }

    /// Whether the event goes over the bus whole.
    pub fn fits(&self) -> bool {
        self.payload.len() + self.metadata.len() <= CLAIM_CHECK_BYTES
    }

    /// The headers, and with them the body.
    pub fn to_headers(&self) -> (HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(SPECVERSION, "1.0");
        headers.insert(ID, self.event_id.to_string());
        headers.insert(
            SOURCE,
            value(&format!("/tenants/{}/{}", self.tenant_id, self.aggregate_type), ATTRIBUTE),
        );
        headers.insert(TYPE, value(&self.event_type, ATTRIBUTE));
        headers.insert(SUBJECT, value(&self.aggregate_id, ATTRIBUTE));
        headers.insert(TIME, value(&self.recorded_at, ATTRIBUTE));
        headers.insert(CONTENT_TYPE, "application/json");
        headers.insert(
            SCHEMA,
            value(&format!("{SCHEMA_PREFIX}{}:{}", self.event_type, self.event_version), ATTRIBUTE),
        );
        headers.insert(SEQUENCE, format!("{:014}", self.sequence));
        headers.insert(LOG, self.log.to_string());
        headers.insert(POSITION, HeaderValue::from(self.position));
        headers.insert(TENANT_SEQ, HeaderValue::from(self.tenant_seq));
        headers.insert(CHAIN, hex::encode(&self.chain));
        if !self.fits() {
            headers.insert(DATAREF, format!("urn:annals:event:{}:{}", self.log, self.position));
            return (headers, Bytes::new());
        }
        headers.insert(METADATA, value(&self.metadata, OWN));
        self.lift(&mut headers);
        (headers, self.payload.clone())
    }

    /// Metadata that is not a flat JSON object has nothing to lift, and still arrives as text.
    fn lift(&self, headers: &mut HeaderMap) {
        let lifted: Lifted<'_> = serde_json::from_str(&self.metadata).unwrap_or_default();
        let pairs = [
            (CORRELATION, lifted.correlation_id),
            (CAUSATION, lifted.causation_id),
            (AUTH_TYPE, lifted.actor_kind),
            (AUTH_ID, lifted.actor_id),
            (TRACEPARENT, lifted.traceparent),
            (IDEMPOTENCY, lifted.idempotency_key),
        ];
        for (name, text) in pairs {
            if let Some(text) = text {
                headers.insert(name, value(&text, ATTRIBUTE));
            }
        }
    }

    /// Rebuilds what was published.
    pub fn from_message(headers: &HeaderMap, payload: Bytes) -> Result<Received, Malformed> {
        let log = raw(headers, LOG, "annals-log")?.parse()?;
        let position = number(headers, POSITION, "annals-position")?;
        if headers.get(DATAREF).is_some() {
            return Ok(Received::Reference { log, position });
        }
        let source = text(headers, SOURCE, "ce-source")?;
        let (tenant, aggregate_type) = source
            .strip_prefix("/tenants/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(Malformed("ce-source"))?;
        let event_type = text(headers, TYPE, "ce-type")?.into_owned();
        let schema = text(headers, SCHEMA, "ce-dataschema")?;
        let event_version = schema
            .strip_prefix(SCHEMA_PREFIX)
            .and_then(|rest| rest.strip_prefix(event_type.as_str()))
            .and_then(|rest| rest.strip_prefix(':'))
            .ok_or(Malformed("ce-dataschema"))?;
        Ok(Received::Whole(Box::new(Self {
            log,
            position,
            tenant_id: tenant.parse().map_err(|_| Malformed("ce-source"))?,
            tenant_seq: number(headers, TENANT_SEQ, "annals-tenant-seq")?,
            aggregate_type: aggregate_type.to_owned(),
            aggregate_id: text(headers, SUBJECT, "ce-subject")?.into_owned(),
            sequence: number(headers, SEQUENCE, "ce-sequence")?,
            event_id: raw(headers, ID, "ce-id")?.parse().map_err(|_| Malformed("ce-id"))?,
            event_version: event_version.to_owned(),
            event_type,
            recorded_at: text(headers, TIME, "ce-time")?.into_owned(),
            metadata: text(headers, METADATA, "annals-metadata")?.into_owned(),
            chain: hex::decode(raw(headers, CHAIN, "annals-chain")?)
                .map_err(|_| Malformed("annals-chain"))?,
            payload,
        })))
    }
}

/// Where in which log a message stands, without reading the rest of it.
pub(crate) fn place(headers: &HeaderMap) -> Result<(LogId, i64), Malformed> {
    let log = raw(headers, LOG, "annals-log")?.parse()?;
    Ok((log, number(headers, POSITION, "annals-position")?))
}

fn value(text: &str, set: &'static AsciiSet) -> HeaderValue {
    match Cow::from(utf8_percent_encode(text, set)) {
        Cow::Borrowed(plain) => HeaderValue::from(plain),
        Cow::Owned(encoded) => HeaderValue::from(encoded),
    }
}

fn raw<'a>(
    headers: &'a HeaderMap,
    name: HeaderName,
    label: &'static str,
) -> Result<&'a str, Malformed> {
    headers.get(name).map(HeaderValue::as_str).ok_or(Malformed(label))
}

fn text<'a>(
    headers: &'a HeaderMap,
    name: HeaderName,
    label: &'static str,
) -> Result<Cow<'a, str>, Malformed> {
    percent_decode_str(raw(headers, name, label)?).decode_utf8().map_err(|_| Malformed(label))
}

fn number(headers: &HeaderMap, name: HeaderName, label: &'static str) -> Result<i64, Malformed> {
    raw(headers, name, label)?.parse().map_err(|_| Malformed(label))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn message(text: &str) -> Message {
        Message {
            log: LogId { epoch: 3, born_us: 12 },
            position: 42,
            tenant_id: Uuid::from_u128(1),
            tenant_seq: 7,
            aggregate_type: "rbac.policy".into(),
            aggregate_id: text.into(),
            sequence: 14,
            event_id: Uuid::from_u128(2),
            event_type: "rbac.policy.role_created".into(),
            event_version: "2".into(),
            recorded_at: "2026-11-21T00:00:00.000001Z".into(),
            metadata: serde_json::json!({ "correlation_id": text, "ip": text }).to_string(),
            chain: vec![1, 2, 255],
            payload: Bytes::from(serde_json::json!({ "note": text }).to_string()),
        }
    }

    #[test]
    fn any_text_comes_back_and_never_breaks_a_header() {
        for text in [
            "",
            "plain",
            "漢字かな",
            "👩‍🚀🦀",
            "\"quoted\" 'single'",
            "a\r\nb: c\r\n\r\n",
            "50% %41",
            " edges ",
        ] {
            let sent = message(text);
            let (headers, body) = sent.to_headers();
            for (name, values) in headers.iter() {
                for value in values {
                    let plain = value.as_str().bytes().all(|b| b.is_ascii_graphic());
                    assert!(plain, "{name:?} carries {value:?}");
                }
            }
            let received = Message::from_message(&headers, body).unwrap();
            assert_eq!(received, Received::Whole(Box::new(sent)));
        }
    }

    #[test]
    fn reads_as_a_cloud_event() {
        let (headers, _) = message("ü \"x\"").to_headers();
        let expected = [
            ("ce-specversion", "1.0"),
            ("ce-id", "00000000-0000-0000-0000-000000000002"),
            ("ce-source", "/tenants/00000000-0000-0000-0000-000000000001/rbac.policy"),
            ("ce-type", "rbac.policy.role_created"),
            ("ce-subject", "%C3%BC%20%22x%22"),
            ("ce-time", "2026-11-21T00:00:00.000001Z"),
            ("ce-datacontenttype", "application/json"),
            ("ce-dataschema", "urn:annals:schema:rbac.policy.role_created:2"),
            ("ce-sequence", "00000000000014"),
            ("ce-correlationid", "%C3%BC%20%22x%22"),
            ("annals-log", "3.12"),
            ("annals-position", "42"),
            ("annals-tenant-seq", "7"),
            ("annals-chain", "0102ff"),
        ];
        for (name, value) in expected {
            assert_eq!(headers.get(name).map(HeaderValue::as_str), Some(value), "{name}");
        }
    }

    #[test]
    fn every_header_that_is_sent_is_described_and_the_other_way_round() {
        let lifted = serde_json::json!({
            "correlation_id": "c", "causation_id": "b", "actor_kind": "user", "actor_id": "u",
            "traceparent": "00", "idempotency_key": "k",
        });
        let whole = Message { metadata: lifted.to_string(), ..message("x") };
        let large = Message { payload: vec![b' '; CLAIM_CHECK_BYTES + 1].into(), ..message("x") };
        let least = Message { metadata: "{}".into(), ..message("x") };
        let sent = |message: &Message| {
            let (headers, _) = message.to_headers();
            headers.iter().map(|(name, _)| name.to_string()).collect::<BTreeSet<_>>()
        };
        let (whole, large, least) = (sent(&whole), sent(&large), sent(&least));
        let named = |always: bool| {
            let named = HEADERS.iter().filter(move |header| header.always || !always);
            named.map(|header| header.name.to_owned()).collect::<BTreeSet<_>>()
        };
        assert_eq!(named(false), &whole | &large);
        assert_eq!(named(true), &least & &large);
    }

    #[test]
    fn a_subject_keeps_its_shape_whatever_the_type() {
        let odd = Message { event_type: "a..b *.>".into(), ..message("") };
        assert_eq!(odd.subject(), format!("events.{}.a._.b__._", odd.tenant_id));
    }

    #[test]
    fn a_foreign_message_is_malformed_not_misread() {
        let (headers, body) = message("x").to_headers();
        for name in ["annals-log", "annals-position", "ce-source", "ce-id", "annals-chain"] {
            let mut broken = headers.clone();
            broken.insert(name, "?");
            assert_eq!(Message::from_message(&broken, body.clone()), Err(Malformed(name)));
        }
        assert!(Message::from_message(&HeaderMap::new(), body).is_err());
    }
}
