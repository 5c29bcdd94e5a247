//! Given/when/then for rules, over cqrs-es's test framework, without its wrappers showing.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use jiff::Timestamp;
use uuid::Uuid;

use crate::aggregate::{Actor, ActorKind, Context, Decider, Root, Services, Stored};
use crate::ids::{TenantId, UserId};

/// Starts a test: what has happened to the aggregate so far.
pub fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    Given { events: events.into_iter().collect(), facts: D::Facts::default(), context: context() }
}

/// The past, the facts and the caller of one test.
pub struct Given<D: Decider> {
    events: Vec<D::Event>,
    facts: D::Facts,
    context: Context,
}

impl<D: Decider> Given<D> {
    /// With what is known of other streams.
    #[must_use]
    pub fn facts(self, facts: D::Facts) -> Self {
        Self { facts, ..self }
    }

    /// As another caller, or at another time.
    #[must_use]
    pub fn context(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// The command under test.
    pub fn when(self, command: D::Command) -> Then<D> {
        let services = Services { context: self.context, facts: self.facts };
        let past = self.events.into_iter().map(Stored).collect();
        let executor: AggregateTestExecutor<Root<D>> = TestFramework::with(services).given(past);
        let result = executor.when(command).inspect_result();
        Then(result.map(|events| events.into_iter().map(|event| event.0).collect()))
    }
}

/// What the command led to.
pub struct Then<D: Decider>(Result<Vec<D::Event>, D::Rejection>);

impl<D: Decider> Then<D> {
    /// Exactly these events.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.0, Ok(expected));
    }

    /// Exactly this refusal.
    #[track_caller]
    pub fn refused(self, expected: D::Rejection) {
        assert_eq!(self.0, Err(expected));
    }

    /// The result itself, for a test that looks closer.
    pub fn result(self) -> Result<Vec<D::Event>, D::Rejection> {
        self.0
    }
}

/// A fixed id, different for each number.
pub fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number))
}

/// The caller used where a test names none: user 1 at noon on 2026-01-01.
pub fn context() -> Context {
    Context {
        tenant: id::<TenantId>(0),
        actor: Actor {
            kind: ActorKind::User,
            id: id::<UserId>(1).to_string(),
            session_id: None,
            on_behalf_of: None,
            api_key_id: None,
        },
        now: at("2026-01-01T12:00:00Z"),
        scope: None,
    }
}

/// A moment written as RFC 3339.
#[track_caller]
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an RFC 3339 time")
}

/// Compares the stored form of one event of each type with its frozen sample and reads it back,
/// then does the same with a snapshot of the state that they lead to.
/// `ANNALS_GENERATE=1` writes samples that are missing, never over one: a stored shape is a promise.
#[cfg(test)]
#[track_caller]
pub(crate) fn frozen<D: Decider>(events: impl IntoIterator<Item = D::Event>) {
    let mut types: Vec<_> = crate::catalogue::of::<D>().into_iter().map(|e| e.event_type).collect();
    let mut state = D::default();
    for event in events {
        state.evolve(&event);
        let encoded = crate::envelope::encode(&event).expect("an event can be written");
        let event_type = encoded.event_type;
        types.retain(|of_source| *of_source != event_type);
        let file = format!("{}/samples/{event_type}.json", env!("CARGO_MANIFEST_DIR"));
        let text = serde_json::to_string_pretty(&event).expect("an event can be written") + "\n";
        let missing = !std::path::Path::new(&file).exists();
        if missing && std::env::var_os("ANNALS_GENERATE").is_some() {
            std::fs::write(&file, &text).expect("the sample can be written");
        }
        let sample = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, sample, "{event_type} is stored as in {file} for good; make a `_v2`");
        let read: D::Event = serde_json::from_str(&sample).expect("the sample can be read");
        assert_eq!(read, event, "{event_type} is no longer read as it was stored");
    }
    assert!(types.is_empty(), "no sample is given for {types:?}");
    let snapshot = serde_json::to_string(&state).expect("a state can be written");
    let read: D = serde_json::from_str(&snapshot).expect("a state can be read");
    let again = serde_json::to_string(&read).expect("a state can be written");
    assert_eq!(again, snapshot, "a snapshot of the state loses something");
}
