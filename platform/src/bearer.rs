//! Bearer tokens that name the stream they belong to, so that they are found without an index over tokens; and those among
//! them that follow from the master key, so that whoever sends them makes them again and nobody keeps them.

use events::TenantId;
use uuid::Uuid;

use crate::secrets::MasterKey;

/// What a token that follows from the master key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    prefix: &'static str,
    label: &'static str,
}

/// Accepts an invitation; one for each sending.
pub const INVITATION: Kind = Kind { prefix: "in1", label: "invitation/v1" };
/// Sets a password that was forgotten; one for each time that it is asked for.
pub const PASSWORD_RESET: Kind = Kind { prefix: "pr1", label: "password-reset/v1" };
/// Confirms a new e-mail address; one for each time that it is asked for.
pub const EMAIL_CHANGE: Kind = Kind { prefix: "ec1", label: "email-change/v1" };

impl Kind {
    /// The token for a stream, of its `nth` request.
    pub fn make(self, master: &MasterKey, tenant: TenantId, stream: Uuid, nth: i64) -> String {
        let secret = master.token(self.label, &format!("{tenant}|{stream}|{nth}"));
        name(self.prefix, tenant, stream, &secret)
    }

    /// The stream that a token of this kind names.
    pub fn named<Id: From<Uuid>>(self, token: &str) -> Option<(TenantId, Id)> {
        named(self.prefix, token)
    }
}

/// A token with that prefix for a stream.
pub fn name(prefix: &str, tenant: TenantId, stream: Uuid, secret: &str) -> String {
    format!("{prefix}.{}.{}.{secret}", tenant.0.simple(), stream.simple())
}

/// The stream that a token with that prefix names.
pub fn named<Id: From<Uuid>>(prefix: &str, token: &str) -> Option<(TenantId, Id)> {
    let mut parts = token.split('.');
    let (of_token, tenant, stream) = (parts.next()?, parts.next()?, parts.next()?);
    if of_token != prefix {
        return None;
    }
    Some((tenant.parse().ok()?, Uuid::parse_str(stream).ok()?.into()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use events::UserId;
    use events::testing::id;

    use super::*;

    #[test]
    fn a_token_names_its_stream_and_differs_by_kind_and_request() {
        let master = MasterKey::parse(&STANDARD.encode([7; 32])).unwrap();
        let (tenant, user) = (id::<TenantId>(1), id::<UserId>(2));
        let token = PASSWORD_RESET.make(&master, tenant, user.0, 1);
        assert_eq!(token, PASSWORD_RESET.make(&master, tenant, user.0, 1));
        assert_eq!(PASSWORD_RESET.named(&token), Some((tenant, user)));
        assert_eq!(EMAIL_CHANGE.named::<UserId>(&token), None);
        let secret = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        for other in [
            PASSWORD_RESET.make(&master, tenant, user.0, 2),
            EMAIL_CHANGE.make(&master, tenant, user.0, 1),
            INVITATION.make(&master, tenant, user.0, 1),
        ] {
            assert_ne!(secret(&token), secret(&other));
        }
    }

    #[test]
    fn what_is_no_token_names_nothing() {
        for text in ["", "pr1", "pr1.x.y.z", "pr1..."] {
            assert_eq!(PASSWORD_RESET.named::<UserId>(text), None, "{text}");
        }
    }
}
