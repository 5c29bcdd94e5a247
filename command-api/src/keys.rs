//! Idempotency keys, expected versions and dry runs: what a client may say about how its command is to be taken.

use axum::http::{HeaderMap, StatusCode, header};
use events::ActorKind;
use platform::parameters;
use platform::principal::Principal;
use platform::problem::{Fault, Problem};
use platform::secrets::{MasterKey, hmac};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The parameter that asks for what would happen.
pub(crate) const VALIDATE_ONLY: &str = "validate_only";

const MAX_KEY_BYTES: usize = 255;
/// What the fingerprints of requests are keyed with.
const FINGERPRINTS: &str = "request-fingerprint/v1";

/// How a command is to be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// The client's key in its scope, and the fingerprint of the request.
    pub(crate) key: Option<(String, [u8; 32])>,
    /// The version that the client decided on.
    pub(crate) if_match: Option<i64>,
    /// Whether the aggregate must not exist yet.
    pub(crate) if_absent: bool,
    /// Whether to say what would happen instead of doing it.
    pub(crate) validate_only: bool,
}

/// What makes two requests the same.
pub(crate) struct Identity<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) operation: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: &'a [u8],
    pub(crate) master: &'a MasterKey,
}

impl Manner {
    /// Reads the manner of a request.
    pub(crate) fn read(headers: &HeaderMap, identity: &Identity<'_>) -> Result<Self, Problem> {
        let validate_only = parameters::flag(identity.query, VALIDATE_ONLY)?;
        let if_match =
            headers.get(header::IF_MATCH).map(|value| version(value.as_bytes())).transpose()?;
        let if_absent =
            headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == b"*");
        let key = match headers.get("idempotency-key") {
            Some(value) => {
                let scope = identity.scope(client_key(value.as_bytes())?);
                Some((scope, identity.fingerprint(if_match, validate_only)))
            }
            None => None,
        };
        Ok(Self { key, if_match, if_absent, validate_only })
    }
}

impl Manner {
    /// Refuses a command that is decided on a version and comes without one.
    pub(crate) fn require_version(&self) -> Result<(), Problem> {
        if self.if_match.is_some() || self.if_absent {
            return Ok(());
        }
        let detail = "send If-Match with the version that you decided on, such as \"13\"";
        Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "PRECONDITION_REQUIRED", detail))
    }

    /// Refuses a command without a key, where there has to be one; a dry run has no effect that could come twice.
    pub(crate) fn require_key(&self) -> Result<(), Problem> {
        if self.key.is_some() || self.validate_only {
            return Ok(());
        }
        let detail = "this organisation wants every command to come with an Idempotency-Key; a UUIDv7 is a good key";
        Err(Problem::bad_request("IDEMPOTENCY_KEY_MISSING", detail).at("Idempotency-Key"))
    }

    /// Whether the aggregate stands where the client believes it does.
    pub(crate) fn check_version(&self, current: i64) -> Result<(), Problem> {
        if self.if_match.is_none_or(|wanted| wanted == current) && !(self.if_absent && current > 0)
        {
            return Ok(());
        }
        let detail = format!("the record is at version {current}; read it again and decide anew");
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "VERSION_CONFLICT", detail)
            .with("current_version", current))
    }
}

impl Identity<'_> {
    /// A key counts for one principal and one route; the tenant is the first column of its table. A program does not share
    /// its owner's keys: what the owner was answered may be beyond it. Nor does what acts for somebody: it made its own.
    fn scope(&self, key: &str) -> String {
        let actor = &self.principal.actor;
        if let Some(through) = self.principal.through {
            return format!("{through}:{}:{key}", self.operation);
        }
        if let Some(program) = actor.api_key_id {
            return format!("api_key:{program}:{}:{key}", self.operation);
        }
        let kind: &str = match actor.kind {
            ActorKind::User => "user",
            ActorKind::Service => "service",
            ActorKind::System => "system",
        };
        format!("{kind}:{}:{}:{key}", actor.id, self.operation)
    }

    fn fingerprint(&self, if_match: Option<i64>, validate_only: bool) -> [u8; 32] {
        // Members of objects are ordered by name when a Value is written, which makes the text canonical.
        let canonical = serde_json::from_slice::<Value>(self.body)
            .map_or_else(|_| self.body.to_vec(), |value| value.to_string().into_bytes());
        let mut hash = Sha256::new();
        hash.update(self.path.as_bytes());
        hash.update([0]);
        hash.update(format!("{if_match:?} {validate_only}"));
        hash.update([0]);
        hash.update(canonical);
        let plain: [u8; 32] = hash.finalize().into();
        match self.principal.actor.kind {
            // A body may hold a password, which a plain digest would let anybody guess who reads the table of keys.
            ActorKind::User | ActorKind::System => hmac(&self.master.derive(FINGERPRINTS), &plain),
            // The keys of services live for long, and so must what they are compared with; their bodies hold no secrets.
            ActorKind::Service => plain,
        }
    }
}

/// A key as a structured-field string (`"..."`) or bare.
fn client_key(value: &[u8]) -> Result<&str, Problem> {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let printable = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !printable {
        return Err(Problem {
            errors: vec![Fault::new(
                "Idempotency-Key",
                "IDEMPOTENCY_KEY_INVALID",
                "1 to 255 printable ASCII characters",
            )],
            ..Problem::bad_request(
                "IDEMPOTENCY_KEY_INVALID",
                "Idempotency-Key must be 1 to 255 printable ASCII characters; a UUIDv7 is a good key",
            )
        });
    }
    Ok(key)
}

/// A strong entity tag as a version.
fn version(value: &[u8]) -> Result<i64, Problem> {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let strong = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    strong.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Problem::bad_request(
            "IF_MATCH_INVALID",
            "If-Match must be the version in quotes, such as \"13\"; weak tags of queries do not count here",
        )
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use events::Actor;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn manner(headers: &[(&'static str, &str)], body: &str) -> Result<Manner, Problem> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let actor = Actor {
            kind: ActorKind::User,
            id: "u".into(),
            session_id: None,
            on_behalf_of: None,
            api_key_id: None,
        };
        let expires_at = Timestamp::MAX;
        let principal = Principal {
            tenant: events::testing::id(1),
            actor,
            expires_at,
            key: None,
            through: None,
        };
        let (operation, path, body) = ("do", "/x", body.as_bytes());
        let master = &MasterKey::parse(&format!("{}=", "A".repeat(43))).unwrap();
        Manner::read(
            &headers,
            &Identity { principal: &principal, operation, path, query: &[], body, master },
        )
    }

    #[test]
    fn a_key_means_the_same_quoted_or_bare() {
        let quoted = manner(&[("idempotency-key", "\"k1\"")], "{}").unwrap();
        assert_eq!(quoted, manner(&[("idempotency-key", "k1")], "{}").unwrap());
        assert_eq!(quoted.key.unwrap().0, "user:u:do:k1");
    }

    #[test]
    fn the_order_of_members_does_not_make_another_request() {
        let one = manner(&[("idempotency-key", "k")], r#"{"a":1,"b":2}"#).unwrap();
        let two = manner(&[("idempotency-key", "k")], r#"{ "b":2, "a":1 }"#).unwrap();
        assert_eq!(one, two);
        assert_ne!(one, manner(&[("idempotency-key", "k")], r#"{"a":1,"b":3}"#).unwrap());
    }

    #[test]
    fn the_fingerprint_of_what_a_person_sends_is_no_digest_that_can_be_guessed_at() {
        let (_, kept) = manner(&[("idempotency-key", "k")], "{}").unwrap().key.unwrap();
        let plain = Sha256::new().chain_update(b"/x\0None false\0{}").finalize();
        assert_ne!(kept[..], plain[..]);
    }

    #[test]
    fn a_weak_tag_is_refused_as_a_version() {
        let problem = manner(&[("if-match", "W/\"3.p1\"")], "").unwrap_err();
        assert_eq!(problem.code, "IF_MATCH_INVALID");
        assert_eq!(manner(&[("if-match", "\"13\"")], "").unwrap().if_match, Some(13));
    }

    proptest! {
        #[test]
        fn any_printable_key_of_reasonable_length_is_taken(key in "[!-~&&[^\"]]{1,255}") {
            prop_assert!(manner(&[("idempotency-key", &key)], "").is_ok());
        }
    }
}
