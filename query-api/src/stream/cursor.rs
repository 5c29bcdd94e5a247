//! Cursors of streams: a position, sealed with its epoch and organisation, so that nobody can write one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::TenantId;
use platform::secrets::hmac;
use subtle::ConstantTimeEq as _;

const PREFIX: &str = "s1.";
const BODY_BYTES: usize = 4 + 8;
const MAC_BYTES: usize = 12;

/// Writes and reads the cursors of one organisation.
#[derive(Clone)]
pub(crate) struct Cursors {
    key: [u8; 32],
    tenant: TenantId,
    pub(crate) epoch: i32,
}

/// Why a stream cannot go on from a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Not one of ours, or of another organisation.
    Invalid,
    /// The log was restored since.
    EpochChanged,
    /// It points beyond the end of the log.
    Gone,
}

impl Cursors {
    pub(crate) fn new(key: [u8; 32], tenant: TenantId, epoch: i32) -> Self {
        Self { key, tenant, epoch }
    }

    /// The cursor that stands after `position`.
    pub(crate) fn write(&self, position: i64) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&position.to_be_bytes());
        let mac = self.mac(&bytes);
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position of a cursor, when the stream can go on from there; `head` is the end of the log.
    pub(crate) fn read(&self, text: &str, head: i64) -> Result<i64, Unusable> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.ok_or(Unusable::Invalid)?;
        let (body, mac) = bytes.split_at_checked(BODY_BYTES).ok_or(Unusable::Invalid)?;
        if !bool::from(self.mac(body)[..MAC_BYTES].ct_eq(mac)) {
            return Err(Unusable::Invalid);
        }
        let (epoch, position) = body.split_at(4);
        let epoch = epoch.try_into().map_or(0, i32::from_be_bytes);
        let position = position.try_into().map_or(0, i64::from_be_bytes);
        if epoch != self.epoch {
            return Err(Unusable::EpochChanged);
        }
        if position > head { Err(Unusable::Gone) } else { Ok(position) }
    }

    fn mac(&self, body: &[u8]) -> [u8; 32] {
        hmac(&self.key, &[body, self.tenant.0.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    fn cursors(tenant: u128, epoch: i32) -> Cursors {
        Cursors::new([5; 32], id(tenant), epoch)
    }

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let text = cursors(1, 1).write(42);
        assert_eq!(cursors(1, 1).read(&text, 42), Ok(42));
    }

    #[test]
    fn a_cursor_of_elsewhere_is_refused() {
        let text = cursors(1, 1).write(42);
        assert_eq!(cursors(2, 1).read(&text, 42), Err(Unusable::Invalid));
        assert_eq!(cursors(1, 2).read(&text, 42), Err(Unusable::EpochChanged));
        assert_eq!(cursors(1, 1).read(&text, 41), Err(Unusable::Gone));
        assert_eq!(cursors(1, 1).read("s1.", 41), Err(Unusable::Invalid));
        assert_eq!(cursors(1, 1).read("", 41), Err(Unusable::Invalid));
    }
}
