//! What becomes of tasks that are there when their schedule is revised.

use super::*;

const DUE: &str = "2026-01-07T08:00:00Z";

/// The fate of the untouched task of the seventh, once its schedule is revised from the fifth on.
fn fate(terms: Terms, task: Template) -> Fate {
    fate_of("2026-01-05T00:00:00Z", (terms, task), true)
}

fn fate_of(from: &str, (terms, task): (Terms, Template), is_untouched: bool) -> Fate {
    let mut plan = Plan::default();
    plan.evolve(&added(OIL, &[]));
    plan.evolve(&generated(OIL, DUE, 1));
    plan.evolve(&Event::ScheduleRevised {
        schedule_id: schedule(OIL),
        version: 2,
        title: "Oil".into(),
        terms,
        task,
        effective_from: at(from),
    });
    let oil = &plan.schedules[&schedule(OIL)];
    oil.fate(&oil.open[&task_of(OIL, DUE, 1)], is_untouched, &trigger::Facts::default())
}

fn same() -> Template {
    task("Change the oil")
}

fn on_mondays() -> Spec {
    Spec::Weekly { days: vec![crate::scheduling::Day::Monday], time: jiff::civil::time(9, 0, 0, 0) }
}

#[test]
fn what_is_due_as_before_stays() {
    let longer = Terms { lead_secs: Some(3_600), ..terms(daily(9)) };
    assert_eq!(fate(longer, same()), Fate::Stays);
}

#[test]
fn what_is_due_at_another_time_of_its_day_moves() {
    let due_at = at("2026-01-07T16:00:00Z");
    assert_eq!(fate(terms(daily(17)), same()), Fate::Moves { due_at });
}

#[test]
fn what_is_due_no_more_or_is_other_work_is_superseded() {
    // The seventh is a Wednesday.
    let superseded = Fate::IsSuperseded { by_version: 2 };
    assert_eq!(fate(terms(on_mondays()), same()), superseded);
    assert_eq!(fate(terms(daily(9)), task("Change oil and filter")), superseded);
}

#[test]
fn what_was_begun_or_is_due_before_is_left_alone() {
    let other = || (terms(on_mondays()), task("Change oil and filter"));
    assert_eq!(fate_of("2026-01-05T00:00:00Z", other(), false), Fate::Stays);
    assert_eq!(fate_of(DUE, other(), true), Fate::Stays, "up to that moment and with it");
    assert_ne!(fate_of("2026-01-07T07:59:59Z", other(), true), Fate::Stays);
}
