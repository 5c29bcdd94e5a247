//! Bearer tokens that name the stream they belong to, so that they are found without an index over tokens; and those among
//! them that follow from the master key, so that whoever sends them makes them again and nobody keeps them.

use events::settings::Key;
use events::{TenantId, UserId};
use subtle::ConstantTimeEq as _;
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

/// What stops one kind of e-mail to one user, without signing in. Its token is the same for every letter of that kind, and so
/// good for as long as the user is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscription {
    /// The organisation.
    pub tenant: TenantId,
    /// Who is not to be written to.
    pub user: UserId,
    /// The setting that says whether they are.
    pub key: Key,
}

const UNSUBSCRIBE: Kind = Kind { prefix: "un1", label: "unsubscribe/v1" };
/// What the names of the settings have in common that say what users are sent.
const MAIL_OF: &str = "notifications.mail_of_";

impl Unsubscription {
    /// The token.
    pub fn token(self, master: &MasterKey) -> String {
        let Self { tenant, user, key } = self;
        let secret = master.token(UNSUBSCRIBE.label, &format!("{tenant}|{user}|{}", key.name()));
        let topic = key.name().trim_start_matches(MAIL_OF);
        name(UNSUBSCRIBE.prefix, tenant, user.0, &format!("{topic}.{secret}"))
    }

    /// What a token of ours is for; nothing where it is none of ours.
    pub fn of(token: &str, master: &MasterKey) -> Option<Self> {
        let (tenant, user) = UNSUBSCRIBE.named(token)?;
        let key: Key = format!("{MAIL_OF}{}", token.split('.').nth(3)?).parse().ok()?;
        let named = Self { tenant, user, key };
        let is_ours = named.token(master).as_bytes().ct_eq(token.as_bytes());
        bool::from(is_ours).then_some(named)
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
    fn a_token_that_unsubscribes_is_of_one_user_and_kind_and_nobody_else_can_make_it() {
        let master = MasterKey::parse(&STANDARD.encode([7; 32])).unwrap();
        let key = Key::NotificationsMailOfExports;
        let named = Unsubscription { tenant: id(1), user: id(2), key };
        let token = named.token(&master);
        assert_eq!(Unsubscription::of(&token, &master), Some(named));
        let other = MasterKey::parse(&STANDARD.encode([8; 32])).unwrap();
        assert_eq!(Unsubscription::of(&token, &other), None);
        let user = id::<UserId>(2).0.simple().to_string();
        let of_another = token.replace(&user, &id::<UserId>(3).0.simple().to_string());
        let of_roles = token.replace("exports", "roles");
        for forged in [
            of_another.as_str(),
            of_roles.as_str(),
            &format!("{token}x"),
            &token[..token.len() - 1],
            "",
        ] {
            assert_eq!(Unsubscription::of(forged, &master), None, "{forged}");
        }
    }

    #[test]
    fn what_is_no_token_names_nothing() {
        for text in ["", "pr1", "pr1.x.y.z", "pr1..."] {
            assert_eq!(PASSWORD_RESET.named::<UserId>(text), None, "{text}");
        }
    }
}
