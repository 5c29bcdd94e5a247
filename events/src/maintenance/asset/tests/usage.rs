//! Counters: what is read, what is refused, and that they only grow.

use proptest::prelude::*;

use super::*;
use crate::aggregate::{Context, Decider};
use crate::decimal::Decimal;
use crate::testing::context;

const NOON: &str = "2026-01-01T12:00:00Z";

pub(super) fn value(counter: &str, value: &str) -> Command {
    Command::RecordUsage(RecordUsage {
        counter: counter.into(),
        value: Some(value.into()),
        ..RecordUsage::default()
    })
}

fn delta(counter: &str, delta: &str) -> Command {
    Command::RecordUsage(RecordUsage {
        counter: counter.into(),
        delta: Some(delta.into()),
        ..RecordUsage::default()
    })
}

fn read_at(time: &str, command: Command) -> Command {
    let Command::RecordUsage(usage) = command else { panic!("{command:?} is no reading") };
    Command::RecordUsage(RecordUsage { at: Some(at(time)), ..usage })
}

/// A reading at noon: where the counter stands, what came on top, and what it counted in all.
pub(super) fn read(counter: &str, (value, delta, total): (&str, &str, &str)) -> Event {
    let [value, delta, total] = [value, delta, total].map(|text| text.parse().unwrap());
    Event::UsageRecorded { counter: counter.into(), value, delta, total, at: at(NOON) }
}

fn reset() -> Command {
    Command::ResetCounter { counter: "hours".into(), reason: " new meter ".into() }
}

fn was_reset(previous: &str) -> Event {
    let previous = previous.parse().unwrap();
    let (counter, reason) = ("hours".to_owned(), "new meter".to_owned());
    Event::CounterReset { counter, previous, reason, at: at(NOON) }
}

fn worked(past: impl IntoIterator<Item = Event>, command: Command) -> crate::testing::Then<Asset> {
    let past = [registered()].into_iter().chain(past);
    given::<Asset>(past).facts(as_far_as(Level::Work)).when(command)
}

fn managed(past: impl IntoIterator<Item = Event>, command: Command) -> crate::testing::Then<Asset> {
    let past = [registered()].into_iter().chain(past);
    given::<Asset>(past).facts(manager()).when(command)
}

#[test]
fn a_counter_is_read_by_value_or_by_what_came_on_top() {
    worked([], value("hours", "12.50")).then([read("hours", ("12.5", "12.5", "12.5"))]);
    let before = || [read("hours", ("12.5", "12.5", "12.5"))];
    worked(before(), value("hours", "20")).then([read("hours", ("20", "7.5", "20"))]);
    worked(before(), delta("hours", "0.1")).then([read("hours", ("12.6", "0.1", "12.6"))]);
    worked(before(), value("km", "3")).then([read("km", ("3", "3", "3"))]);
    worked(before(), value("hours", "12.5")).then([]);
}

#[test]
fn exactly_one_of_the_two_is_given_and_is_a_number() {
    let both = RecordUsage {
        counter: "hours".into(),
        value: Some("1".into()),
        delta: Some("1".into()),
        at: None,
    };
    let neither = RecordUsage { value: None, delta: None, ..both.clone() };
    for usage in [both, neither] {
        worked([], Command::RecordUsage(usage)).refused(Rejection::ReadingInvalid);
    }
    for bad in ["", "-1", "1.0001", "1e3", "12,5", "NaN", "9999999999999"] {
        worked([], value("hours", bad)).refused(Rejection::ValueInvalid);
        worked([], delta("hours", bad)).refused(Rejection::DeltaInvalid);
    }
    let full = [read("hours", ("999999999999.999", "1", "999999999999.999"))];
    worked(full, delta("hours", "0.001")).refused(Rejection::DeltaInvalid);
}

#[test]
fn a_counter_goes_forward_until_it_is_reset() {
    let before = || vec![read("hours", ("12.5", "12.5", "12.5"))];
    let refused = Rejection::UsageDecreases("12.5".parse().unwrap());
    worked(before(), value("hours", "12.499")).refused(refused);
    managed(before(), reset()).then([was_reset("12.5")]);
    let after = || [before(), vec![was_reset("12.5")]].concat();
    worked(after(), value("hours", "3")).then([read("hours", ("3", "3", "15.5"))]);
    managed(after(), reset()).then([]);
    managed([], reset()).refused(Rejection::CounterUnknown);
    let why = Command::ResetCounter { counter: "hours".into(), reason: " ".into() };
    managed(before(), why).refused(Rejection::ReasonInvalid(Fault::Empty));
}

#[test]
fn a_reading_is_not_of_the_future_and_not_older_than_the_last() {
    let before = || [read("hours", ("5", "5", "5"))];
    let ahead = read_at("2026-01-01T12:00:01Z", value("hours", "6"));
    worked(before(), ahead).refused(Rejection::ReadAhead);
    let older = read_at("2026-01-01T11:59:59Z", value("hours", "6"));
    worked(before(), older.clone()).refused(Rejection::ReadBefore(at(NOON)));
    let first = worked([], older).result().unwrap();
    assert!(matches!(first[..], [Event::UsageRecorded { at: read, .. }] if read < at(NOON)));
    worked(before(), read_at(NOON, value("hours", "6"))).then([read("hours", ("6", "1", "6"))]);
}

#[test]
fn counters_have_names_and_are_not_too_many() {
    for bad in ["", "Hours", "1st", "run time", "a".repeat(65).as_str()] {
        worked([], value(bad, "1")).refused(Rejection::CounterInvalid);
    }
    let full = || (0..32).map(|number| read(&format!("c{number}"), ("1", "1", "1")));
    worked(full(), value("one.more", "1")).refused(Rejection::CountersFull);
    worked(full(), value("c0", "2")).then([read("c0", ("2", "1", "2"))]);
}

/// What somebody does with a counter.
#[derive(Debug, Clone)]
enum Act {
    Value(u32),
    Delta(u32),
    Reset,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..100_000_u32).prop_map(Act::Value),
        4 => (0..1_000_u32).prop_map(Act::Delta),
        1 => Just(Act::Reset),
    ];
    proptest::collection::vec(act, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_read_a_counter_only_grows_and_counts_everything(acts in acts()) {
        let mut asset = Asset::default();
        asset.evolve(&registered());
        let (mut shown, mut total) = (0_u64, 0_u64);
        for (second, act) in acts.iter().enumerate() {
            let now = at(NOON) + jiff::SignedDuration::from_secs(i64::try_from(second).unwrap());
            let text = |thousandths: u32| format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
            let command = match act {
                Act::Value(to) => value("hours", &text(*to)),
                Act::Delta(by) => delta("hours", &text(*by)),
                Act::Reset => reset(),
            };
            let decided = asset.decide(command, &manager(), &Context { now, ..context() });
            match (act, &decided) {
                (Act::Value(to), Ok(_)) => {
                    prop_assert!(u64::from(*to) >= shown);
                    total += u64::from(*to) - shown;
                    shown = u64::from(*to);
                }
                (Act::Value(to), Err(refused)) => {
                    prop_assert!(u64::from(*to) < shown, "{refused}");
                    prop_assert!(matches!(refused, Rejection::UsageDecreases(_)));
                }
                (Act::Delta(by), decided) => {
                    prop_assert!(decided.is_ok());
                    (shown, total) = (shown + u64::from(*by), total + u64::from(*by));
                }
                (Act::Reset, _) => shown = 0,
            }
            let before = asset.counters.get("hours").map(|counter| counter.total);
            for event in decided.iter().flatten() {
                asset.evolve(event);
            }
            if let Some(counter) = asset.counters.get("hours") {
                prop_assert_eq!(counter.value.thousandths(), shown);
                prop_assert_eq!(counter.total.thousandths(), total);
                prop_assert!(counter.total >= before.unwrap_or(Decimal::default()));
            }
        }
    }
}
