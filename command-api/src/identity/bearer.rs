//! Tokens that name the stream they belong to, so that it is found without an index over tokens.

use events::TenantId;
use uuid::Uuid;

/// A token of that kind for a stream.
pub(super) fn name(kind: &str, tenant: TenantId, stream: Uuid, secret: &str) -> String {
    format!("{kind}.{}.{}.{secret}", tenant.0.simple(), stream.simple())
}

/// The stream that a token of that kind names.
pub(super) fn named<Id: From<Uuid>>(kind: &str, token: &str) -> Option<(TenantId, Id)> {
    let mut parts = token.split('.');
    let (prefix, tenant, stream) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != kind {
        return None;
    }
    Some((tenant.parse().ok()?, Uuid::parse_str(stream).ok()?.into()))
}
