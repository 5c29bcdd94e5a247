//! Which occurrences have a task, wait for one, and are left out.

use super::*;

const SECOND: &str = "2026-01-02T08:00:00Z";
const THIRD: &str = "2026-01-03T08:00:00Z";

fn after(more: impl IntoIterator<Item = Event>) -> crate::testing::Given<Plan> {
    given::<Plan>(chain().into_iter().chain(more)).facts(manager())
}

#[test]
fn an_occurrence_has_one_task_whoever_says_so_again() {
    after([]).when(occur(OIL, SECOND)).then([generated(OIL, SECOND, 1)]);
    after([generated(OIL, SECOND, 1)]).when(occur(OIL, SECOND)).then([]);
    let waiting = held_back(FILTER, SECOND, &[OIL]);
    after([generated(OIL, SECOND, 1), waiting]).when(occur(FILTER, SECOND)).then([]);
    let other = Plan::task(schedule(OIL), at(SECOND), 2);
    assert_ne!(other, task_of(OIL, SECOND, 1), "another version has a task of its own");
}

#[test]
fn what_comes_after_waits_for_whatever_is_not_over_up_to_its_day() {
    let open = generated(OIL, SECOND, 1);
    let waits = |due_at: &str| held_back(FILTER, due_at, &[OIL]);
    after([open.clone()]).when(occur(FILTER, SECOND)).then([waits(SECOND)]);
    after([open.clone(), generated(OIL, THIRD, 1)]).when(occur(FILTER, THIRD)).then([waits(THIRD)]);
    let done = closed(OIL, SECOND, Because::Completed);
    after([open.clone(), done.clone()])
        .when(occur(FILTER, SECOND))
        .then([generated(FILTER, SECOND, 1)]);
    // What lies after its day holds nothing up.
    after([open, done, generated(OIL, THIRD, 1)])
        .when(occur(FILTER, SECOND))
        .then([generated(FILTER, SECOND, 1)]);
}

#[test]
fn what_comes_after_waits_though_its_trigger_was_first() {
    after([]).when(occur(FILTER, SECOND)).then([held_back(FILTER, SECOND, &[OIL])]);
    let skip = Command::RecordSkip { schedule_id: schedule(OIL), until: at(SECOND) };
    let skipped = left_out(OIL, SECOND, LeftOut::Skipped);
    after([held_back(FILTER, SECOND, &[OIL])])
        .when(skip.clone())
        .then([skipped.clone(), generated(FILTER, SECOND, 1)]);
    after([skipped.clone()]).when(skip).then([]);
    after([skipped]).when(occur(FILTER, SECOND)).then([generated(FILTER, SECOND, 1)]);
}

#[test]
fn when_the_last_is_over_what_waited_for_it_goes_on_and_no_more() {
    let waiting = [
        generated(OIL, SECOND, 1),
        held_back(FILTER, SECOND, &[OIL]),
        held_back(BELT, SECOND, &[FILTER]),
    ];
    let names = <Because as strum::VariantArray>::VARIANTS;
    for because in names.iter().copied() {
        after(waiting.clone())
            .when(over(OIL, SECOND, because))
            .then([closed(OIL, SECOND, because), generated(FILTER, SECOND, 1)]);
    }
    let done = closed(OIL, SECOND, Because::Completed);
    let later = waiting.into_iter().chain([done, generated(FILTER, SECOND, 1)]);
    after(later)
        .when(over(FILTER, SECOND, Because::Completed))
        .then([closed(FILTER, SECOND, Because::Completed), generated(BELT, SECOND, 1)]);
    after([generated(OIL, SECOND, 1), generated(OIL, THIRD, 1), held_back(FILTER, THIRD, &[OIL])])
        .when(over(OIL, SECOND, Because::Completed))
        .then([closed(OIL, SECOND, Because::Completed)]);
}

#[test]
fn a_task_is_over_once() {
    let done = closed(OIL, SECOND, Because::Completed);
    after([generated(OIL, SECOND, 1), done]).when(over(OIL, SECOND, Because::Cancelled)).then([]);
    after([]).when(over(OIL, SECOND, Because::Completed)).then([]);
}

#[test]
fn nothing_waits_for_what_was_removed_or_does_not_come_before_it_any_more() {
    let waiting = || [generated(OIL, SECOND, 1), held_back(FILTER, SECOND, &[OIL])];
    let schedule_id = schedule(OIL);
    after(waiting()).when(Command::Remove { schedule_id }).then([
        replaced(FILTER, &[]),
        removed(OIL),
        generated(FILTER, SECOND, 1),
    ]);
    let command = Command::SetDependencies { schedule_id: schedule(FILTER), depends_on: vec![] };
    after(waiting()).when(command).then([replaced(FILTER, &[]), generated(FILTER, SECOND, 1)]);
    after(waiting()).when(Command::Remove { schedule_id: schedule(FILTER) }).then([
        replaced(BELT, &[]),
        withdrawn(FILTER, SECOND),
        removed(FILTER),
    ]);
}

#[test]
fn what_is_paused_or_at_its_end_holds_up_nothing_that_is_still_to_come() {
    let schedule_id = schedule(OIL);
    let paused = Event::SchedulePaused { schedule_id };
    let completed = completed(schedule_id);
    let waits = || held_back(FILTER, SECOND, &[OIL]);
    let goes_on = || generated(FILTER, SECOND, 1);
    after([waits()]).when(Command::Pause { schedule_id }).then([paused.clone(), goes_on()]);
    after([waits()]).when(complete(schedule_id, None)).then([completed, goes_on()]);
    // What is there is to be done all the same.
    let open = generated(OIL, SECOND, 1);
    after([open, waits()]).when(Command::Pause { schedule_id }).then([paused]);
}

#[test]
fn what_a_trigger_said_counts_though_the_schedule_was_paused_since() {
    let schedule_id = schedule(OIL);
    for since in [Event::SchedulePaused { schedule_id }, completed(schedule_id)] {
        after([since]).when(occur(OIL, SECOND)).then([generated(OIL, SECOND, 1)]);
    }
    after([replaced(FILTER, &[]), removed(OIL)]).when(occur(OIL, SECOND)).then([]);
}

#[test]
fn a_revision_withdraws_what_waits_and_is_due_later() {
    let waiting = [generated(OIL, SECOND, 1), held_back(FILTER, SECOND, &[OIL])];
    let change = |from: &str| Revise {
        spec: Some(daily(10)),
        effective_from: Some(at(from)),
        ..Revise::default()
    };
    after(waiting.clone()).when(revise(FILTER, change("2026-01-01T13:00:00Z"))).then([
        withdrawn(FILTER, SECOND),
        revised(FILTER, 2, terms(daily(10)), "2026-01-01T13:00:00Z"),
    ]);
    after(waiting).when(revise(FILTER, change(SECOND))).then([revised(
        FILTER,
        2,
        terms(daily(10)),
        SECOND,
    )]);
}

#[test]
fn a_day_has_one_task_that_is_not_over() {
    let again = "2026-01-02T15:00:00Z";
    after([generated(OIL, SECOND, 1)]).when(occur(OIL, again)).then([left_out(
        OIL,
        again,
        LeftOut::AlreadyOpen,
    )]);
    let done = closed(OIL, SECOND, Because::Completed);
    after([generated(OIL, SECOND, 1), done])
        .when(occur(OIL, again))
        .then([generated(OIL, again, 1)]);
}

#[test]
fn what_was_done_ahead_is_not_to_be_done_again_after_a_revision() {
    let done = closed(OIL, SECOND, Because::Completed);
    let past = |from: &str| {
        let second = revised(OIL, 2, terms(daily(10)), from);
        [generated(OIL, SECOND, 1), done.clone(), second]
    };
    let moved = "2026-01-02T09:00:00Z";
    for due_at in [SECOND, moved] {
        after(past("2026-01-01T13:00:00Z")).when(occur(OIL, due_at)).then([left_out(
            OIL,
            due_at,
            LeftOut::AlreadyDone,
        )]);
    }
    // What was done at its time does not stand for what the revision brings.
    after(past("2026-01-02T08:30:00Z")).when(occur(OIL, moved)).then([generated(OIL, moved, 2)]);
    let superseded = closed(OIL, SECOND, Because::Superseded);
    let second = revised(OIL, 2, terms(daily(10)), "2026-01-01T13:00:00Z");
    after([generated(OIL, SECOND, 1), superseded, second])
        .when(occur(OIL, moved))
        .then([generated(OIL, moved, 2)]);
}

#[test]
fn so_many_tasks_of_a_schedule_are_not_over_and_no_more() {
    let due_at = |day: i64| {
        let due_at = at(SECOND) + jiff::SignedDuration::from_hours(24 * day);
        due_at.to_string()
    };
    let most = i64::try_from(OPEN_MAX_COUNT).unwrap();
    let full: Vec<Event> = (0..most).map(|day| generated(OIL, &due_at(day), 1)).collect();
    let next = due_at(most);
    after(full).when(occur(OIL, &next)).then([left_out(OIL, &next, LeftOut::TooManyOpen)]);
}

#[test]
fn a_day_is_one_of_the_zone_of_its_schedule() {
    let late = "2026-01-02T23:30:00Z";
    let expected = Event::OccurrenceGenerated {
        schedule_id: schedule(OIL),
        version: 1,
        occurrence: "2026-01-03".parse().unwrap(),
        due_at: at(late),
        task_id: task_of(OIL, late, 1),
    };
    after([]).when(occur(OIL, late)).then([expected]);
}

#[test]
fn what_a_trigger_said_last_is_waited_for_though_it_is_at_its_end() {
    let schedule_id = schedule(OIL);
    let last_due_at = Some(at(SECOND));
    let ended = Event::ScheduleCompleted { schedule_id, last_due_at };
    let waits = held_back(FILTER, SECOND, &[OIL]);
    after([waits.clone()]).when(complete(schedule_id, last_due_at)).then([ended.clone()]);
    after([waits.clone(), ended.clone()])
        .when(occur(OIL, SECOND))
        .then([generated(OIL, SECOND, 1)]);
    after([generated(OIL, SECOND, 1), waits, ended])
        .when(over(OIL, SECOND, Because::Completed))
        .then([closed(OIL, SECOND, Because::Completed), generated(FILTER, SECOND, 1)]);
}
