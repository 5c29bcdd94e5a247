//! Events as records of the log, which an auditor can verify; [`platform::cloud_event`] is what anybody can read.

use std::fmt::Write as _;

use platform::cloud_event::{line, time};
use platform::dataset::rows::string as text;
use platform::log::Record;

/// Adds the record to `out` as one JSON object; payload and metadata keep the exact text that the chain covers.
pub(crate) fn write(record: &Record<'_>, out: &mut String) {
    let _never = write!(
        out,
        "{{\"position\":{},\"tenant_id\":\"{}\",\"tenant_seq\":{},\"aggregate_type\":",
        record.position, record.tenant_id, record.tenant_seq
    );
    text(out, record.aggregate_type);
    out.push_str(",\"aggregate_id\":");
    text(out, record.aggregate_id);
    let _never = write!(
        out,
        ",\"sequence\":{},\"event_id\":\"{}\",\"event_type\":",
        record.sequence, record.event_id
    );
    text(out, record.event_type);
    out.push_str(",\"event_version\":");
    text(out, record.event_version);
    out.push_str(",\"recorded_at\":\"");
    time(out, record.recorded_at);
    out.push_str("\",\"payload\":");
    line(out, record.payload);
    out.push_str(",\"metadata\":");
    line(out, record.metadata);
    out.push_str(",\"chain\":\"");
    hex(out, record.chain);
    out.push_str("\"}");
}

fn hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
