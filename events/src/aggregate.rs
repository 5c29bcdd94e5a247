//! What every aggregate is: a state, the commands it decides on, the events it evolves by; and its one adapter to cqrs-es.

use std::fmt::Debug;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::TenantId;
use crate::modules::Module;
use crate::personal::Personal;
use crate::rbac::scope::Scope;

/// An aggregate's rules. The implementing type is its state; the default state means that the aggregate does not exist.
pub trait Decider:
    Default + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The stream name `<module>.<aggregate>`; never changed once stored.
    const TYPE: &'static str;
    /// The module that owns the stream.
    const MODULE: Module;
    /// The shape of the state in snapshots; raised when the state or how it evolves changes, which leaves old snapshots unread.
    const SHAPE: i64 = 1;
    /// What can be asked of it.
    type Command: Send + 'static;
    /// What can have happened to it.
    type Event: Event;
    /// Why it can refuse.
    type Rejection: Rejection;
    /// What a decision needs to know of other streams; `()` where it needs nothing.
    type Facts: Default + Send + Sync + 'static;

    /// Answers a command with the events that follow from it, or says why not.
    fn decide(
        &self,
        command: Self::Command,
        facts: &Self::Facts,
        context: &Context,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Folds one event into the state. It cannot fail: what is stored has happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// A stored fact: an enum, internally tagged by `type` with its full stored name
/// (`#[serde(tag = "type")]`, each variant `#[serde(rename = "<module>.<aggregate>.<past_tense>")]`).
pub trait Event:
    Serialize + DeserializeOwned + Clone + PartialEq + Debug + JsonSchema + Send + Sync + 'static
{
    /// What of it is about a person.
    const PERSONAL: &'static [Personal] = &[];

    /// The uniqueness and capacity that this event takes or gives back, inside its append.
    fn claims(&self, stream_id: &str) -> Vec<Claim> {
        let _ = stream_id;
        Vec::new()
    }
}

/// Why a command was refused, as a fact.
pub trait Rejection:
    std::error::Error + Clone + PartialEq + Serialize + Send + Sync + 'static
{
    /// The stable code in `UPPER_SNAKE`, at most 63 characters.
    fn code(&self) -> &'static str;
    /// Every refusal of the kind, for the catalogue of codes: [`refusals`] of the enum.
    fn every() -> Vec<Refusal>;
    /// The kind of refusal, which decides the HTTP status.
    fn class(&self) -> Class;
    /// The JSON pointer of the member of the request that is at fault, where one is.
    fn pointer(&self) -> Option<&'static str> {
        None
    }
    /// The values that its words speak of, by name, for clients that put it into words of their own.
    fn params(&self) -> Map<String, Value> {
        values(self)
    }
}

/// The members of a variant. A value without a name is called `value`, and the name of a reason within a reason `reason`.
pub(crate) fn values(rejection: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(variant)) = serde_json::to_value(rejection) else { return Map::new() };
    match variant.into_iter().next() {
        Some((_, Value::Object(members))) => members,
        Some((variant, Value::String(reason))) if variant.ends_with("_invalid") => {
            Map::from_iter([("reason".to_owned(), Value::String(reason))])
        }
        Some((_, value)) => Map::from_iter([("value".to_owned(), value)]),
        None => Map::new(),
    }
}

/// One refusal, as the catalogue of codes tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: &'static str,
    /// The kind of refusal.
    pub class: Class,
    /// What it means.
    pub meaning: String,
    /// What it says when it happens, with the remedy; values in it are examples.
    pub example: String,
}

/// Every refusal of an enum, read off its variants.
pub fn refusals<R: Rejection + strum::IntoEnumIterator + strum::EnumMessage>() -> Vec<Refusal> {
    let refusal = |rejection: R| Refusal {
        code: rejection.code(),
        class: rejection.class(),
        meaning: rejection.get_documentation().unwrap_or_default().to_owned(),
        example: rejection.to_string(),
    };
    R::iter().map(refusal).collect()
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request can never be right: 422.
    Invalid,
    /// The request does not fit the present state: 409.
    Conflict,
    /// The caller may not: 403.
    Forbidden,
    /// There is no such thing: 404.
    Absent,
    /// The credentials are not accepted: 401.
    Unauthenticated,
}

/// Who acts, on which organisation's behalf and when; all that a rule may know of the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// The organisation whose records these are.
    pub tenant: TenantId,
    /// The authenticated caller.
    pub actor: Actor,
    /// The moment of the decision.
    pub now: Timestamp,
    /// How far the API key reaches that the caller acts by; without one nothing is held back.
    pub scope: Option<Scope>,
}

/// The authenticated caller of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// What the caller is.
    pub kind: ActorKind,
    /// The user's id, or the service's name.
    pub id: String,
    /// The session the caller acts in.
    pub session_id: Option<crate::ids::SessionId>,
    /// The user for whom a service acts.
    pub on_behalf_of: Option<crate::ids::UserId>,
    /// The API key the caller acts by, within its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<crate::ids::ApiKeyId>,
}

/// What a caller can be.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    User,
    /// One of our own workers, or an integration.
    Service,
    /// The installation itself, at set-up.
    System,
}

/// Uniqueness or capacity taken (or given back) in the append itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Whether the key is unique in the organisation or in the whole installation.
    pub scope: ClaimScope,
    /// What is claimed, for example `identity.user.handle`.
    pub namespace: &'static str,
    /// The claimed value, already folded to its comparable form.
    pub key: String,
    /// Taken, or given back.
    pub change: ClaimChange,
}

/// How far a claim reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimScope {
    /// Unique within the organisation.
    Tenant,
    /// Unique within the installation.
    Global,
}

/// What an event does to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimChange {
    /// Refused when another stream holds it.
    Take,
    /// No effect when it is not held.
    Release,
}

impl Claim {
    /// Takes `key` within the organisation.
    pub fn take(namespace: &'static str, key: impl Into<String>) -> Self {
        Self { scope: ClaimScope::Tenant, namespace, key: key.into(), change: ClaimChange::Take }
    }

    /// Gives `key` back within the organisation.
    pub fn release(namespace: &'static str, key: impl Into<String>) -> Self {
        Self { change: ClaimChange::Release, ..Self::take(namespace, key) }
    }

    /// Makes the claim reach over the whole installation.
    #[must_use]
    pub fn global(self) -> Self {
        Self { scope: ClaimScope::Global, ..self }
    }
}

/// The one adapter that makes every [`Decider`] an aggregate of cqrs-es.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent, bound = "D: Decider")]
pub struct Root<D: Decider>(pub D);

/// What cqrs-es hands to a decision besides the state and the command.
#[derive(Debug)]
pub struct Services<D: Decider> {
    /// Who, on whose behalf, when.
    pub context: Context,
    /// What is known of other streams.
    pub facts: D::Facts,
}

/// An event as cqrs-es stores it: the same JSON as the event itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "E: Event")]
pub struct Stored<E: Event>(pub E);

impl<E: Event> DomainEvent for Stored<E> {
    fn event_type(&self) -> String {
        let payload = serde_json::to_string(&self.0).unwrap_or_default();
        crate::envelope::stored_type(&payload).unwrap_or_default().to_owned()
    }

    fn event_version(&self) -> String {
        crate::envelope::stored_version(&self.event_type()).to_owned()
    }
}

impl<D: Decider> Aggregate for Root<D> {
    const TYPE: &'static str = D::TYPE;
    type Command = D::Command;
    type Event = Stored<D::Event>;
    type Error = D::Rejection;
    type Services = Services<D>;

    async fn handle(
        &mut self,
        command: Self::Command,
        services: &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.0.decide(command, &services.facts, &services.context)? {
            sink.write(Stored(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Rejection as _;
    use crate::identity::{invitation, presence, session, user};
    use crate::rbac::policy;
    use crate::rbac::user_access;
    use crate::testing::at;
    use crate::text::Fault;

    /// The words in what refusals of a kind tell: what is neither a reason nor a moment nor an id.
    fn words<R: super::Rejection + strum::IntoEnumIterator>() -> Vec<(String, Value)> {
        let is_word = |value: &Value| {
            let text = value.as_str();
            text.is_some_and(|text| {
                text.parse::<jiff::Timestamp>().is_err() && text.parse::<uuid::Uuid>().is_err()
            })
        };
        let told = R::iter().flat_map(|refusal| refusal.params());
        told.filter(|(name, value)| name != "reason" && is_word(value)).collect()
    }

    #[test]
    fn a_refusal_about_a_person_tells_no_text() {
        let nothing: Vec<(String, Value)> = Vec::new();
        assert_eq!(words::<user::Rejection>(), nothing);
        assert_eq!(words::<session::Rejection>(), nothing);
        assert_eq!(words::<presence::Rejection>(), nothing);
        assert_eq!(words::<invitation::Rejection>(), nothing);
        assert!(!words::<policy::Rejection>().is_empty(), "names of roles are told");
    }

    #[test]
    fn a_refusal_tells_the_values_that_its_words_speak_of() {
        let told = |refusal: &dyn Fn() -> serde_json::Map<String, serde_json::Value>| {
            serde_json::Value::Object(refusal())
        };
        let long = user::Rejection::HandleInvalid(Fault::TooLong(64));
        assert_eq!(told(&|| long.params()), json!({ "too_long": 64 }));
        let empty = user::Rejection::HandleInvalid(Fault::Empty);
        assert_eq!(told(&|| empty.params()), json!({ "reason": "empty" }));
        let locked = user::Rejection::Locked(at("2026-01-01T00:00:00Z"));
        assert_eq!(told(&|| locked.params()), json!({ "value": "2026-01-01T00:00:00Z" }));
        assert_eq!(told(&|| user::Rejection::Unknown.params()), json!({}));
        let level = || policy::Rejection::EscalatesLevel { level: 7 };
        assert_eq!(told(&|| level().params()), json!({ "level": 7 }));
        let level = user_access::Rejection::AssignmentExceedsLevel { level: 7 };
        assert_eq!(
            told(&|| invitation::Rejection::Role(level.clone()).params()),
            json!({ "level": 7 })
        );
    }
}
