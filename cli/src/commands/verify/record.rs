//! One line of a replay: read strictly, so that nothing in it can be altered and still mean the same.

use std::borrow::Cow;
use std::fmt::Write as _;

use events::envelope::Recorded;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A line as it is written; payload and metadata as the exact text that was hashed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    position: i64,
    tenant_id: &'a str,
    tenant_seq: i64,
    #[serde(borrow)]
    aggregate_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    sequence: i64,
    event_id: &'a str,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    event_version: Cow<'a, str>,
    recorded_at: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    chain: &'a str,
}

/// Reads lines into one event, whose memory serves for all of them.
pub(super) struct Reader {
    pub(super) event: Recorded,
    text: String,
}

impl Default for Reader {
    fn default() -> Self {
        let event = Recorded {
            position: 0,
            tenant_id: Uuid::nil().into(),
            tenant_seq: 0,
            aggregate_type: String::new(),
            aggregate_id: String::new(),
            sequence: 0,
            event_id: Uuid::nil(),
            event_type: String::new(),
            event_version: String::new(),
            payload: String::new(),
            metadata: String::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
            chain: Vec::new(),
        };
        Self { event, text: String::new() }
    }
}

impl Reader {
    /// Reads one line; why it is none of ours otherwise.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<(), String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let event = &mut self.event;
        event.position = line.position;
        event.tenant_id = uuid(line.tenant_id).ok_or("tenant_id is no UUID")?.into();
        event.tenant_seq = line.tenant_seq;
        event.sequence = line.sequence;
        event.event_id = uuid(line.event_id).ok_or("event_id is no UUID")?;
        event.recorded_at = line.recorded_at.parse().map_err(|_| "recorded_at is no time")?;
        self.text.clear();
        let _never = write!(self.text, "{:.6}", event.recorded_at);
        if self.text != line.recorded_at {
            return Err("recorded_at is not written as we write times".into());
        }
        event.chain.resize(32, 0);
        let lower = !line.chain.bytes().any(|byte| byte.is_ascii_uppercase());
        if !lower || hex::decode_to_slice(line.chain, &mut event.chain).is_err() {
            return Err("chain is not 64 hexadecimal digits".into());
        }
        for (place, text) in [
            (&mut event.aggregate_type, &*line.aggregate_type),
            (&mut event.aggregate_id, &*line.aggregate_id),
            (&mut event.event_type, &*line.event_type),
            (&mut event.event_version, &*line.event_version),
            (&mut event.payload, line.payload.get()),
            (&mut event.metadata, line.metadata.get()),
        ] {
            place.clear();
            place.push_str(text);
        }
        Ok(())
    }
}

/// A UUID in its usual spelling; any other would mean the same and be another text.
fn uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut usual = Uuid::encode_buffer();
    (*uuid.hyphenated().encode_lower(&mut usual) == *text).then_some(uuid)
}
