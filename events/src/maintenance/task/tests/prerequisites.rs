//! The tasks that come before another.

use super::*;

fn set(tasks: &[u128]) -> Command {
    Command::Manage(Manage::SetPrerequisites { task_ids: tasks.iter().map(|it| id(*it)).collect() })
}

fn other(status: Status, prerequisites: &[u128]) -> Other {
    Other { status, seen: true, prerequisites: prerequisites.iter().map(|it| id(*it)).collect() }
}

/// The task is 9; what is known of others.
fn knowing(others: impl IntoIterator<Item = (u128, Other)>) -> Facts {
    let others: BTreeMap<TaskId, Other> =
        others.into_iter().map(|(task, other)| (id(task), other)).collect();
    Facts { others, ..manager() }
}

fn linked(tasks: &[u128]) -> Event {
    Event::PrerequisitesLinked { task_ids: tasks.iter().map(|it| id(*it)).collect() }
}

#[test]
fn are_replaced_and_only_what_differs_is_told() {
    let open = || other(Status::Open, &[]);
    let facts = || knowing([(10, open()), (11, open()), (12, open())]);
    given::<Task>([created()]).facts(facts()).when(set(&[11, 10, 11])).then([linked(&[10, 11])]);
    let past = [created(), linked(&[10, 11])];
    let unlinked = Event::PrerequisitesUnlinked { task_ids: vec![id(10)] };
    given::<Task>(past.clone()).facts(facts()).when(set(&[11, 12])).then([unlinked, linked(&[12])]);
    given::<Task>(past).facts(Facts { me: id(9), ..manager() }).when(set(&[10, 11])).then([]);
    let from_the_start = Create { prerequisites: vec![id(10)], ..wanted() };
    given::<Task>([]).facts(facts()).when(create(from_the_start)).then([created(), linked(&[10])]);
}

#[test]
fn are_tasks_that_the_caller_may_know_of() {
    let hidden = Other { seen: false, ..other(Status::Open, &[]) };
    for facts in [
        knowing([]),
        knowing([(10, hidden)]),
        knowing([(10, Other { seen: true, ..Other::default() })]),
    ] {
        given::<Task>([created()])
            .facts(facts)
            .when(set(&[10]))
            .refused(Rejection::PrerequisiteUnknown(id(10)));
    }
    let many: Vec<u128> = (100..121).collect();
    given::<Task>([created()])
        .facts(manager())
        .when(set(&many))
        .refused(Rejection::PrerequisitesFull);
}

#[test]
fn never_come_round_to_the_task_itself() {
    given::<Task>([created()])
        .facts(manager())
        .when(set(&[9]))
        .refused(Rejection::PrerequisiteItself);
    let round = [
        (10, other(Status::Open, &[11, 12])),
        (11, other(Status::Open, &[])),
        (12, other(Status::Cancelled, &[11, 9])),
    ];
    given::<Task>([created()])
        .facts(knowing(round))
        .when(set(&[10]))
        .refused(Rejection::PrerequisiteCyclic(id(10)));
    // Of what is not known nothing is assumed.
    let unclear = [(10, other(Status::Open, &[11])), (11, other(Status::Open, &[12]))];
    given::<Task>([created()])
        .facts(knowing(unclear))
        .when(set(&[10]))
        .refused(Rejection::PrerequisiteUnclear(id(10)));
    // Others may go in a circle of old; that is not this one's matter, and the search ends.
    let elsewhere = [(10, other(Status::Open, &[11])), (11, other(Status::Open, &[10]))];
    given::<Task>([created()]).facts(knowing(elsewhere)).when(set(&[10])).then([linked(&[10])]);
}

#[test]
fn are_over_before_it_is_completed() {
    let past = [begun(), vec![linked(&[10, 11, 12, 13])]].concat();
    let complete = || Command::Work(Work::Complete);
    let facts = |third: Status, fourth: Status| {
        knowing([
            (10, other(Status::Completed, &[])),
            (11, other(Status::Cancelled, &[])),
            (12, other(third, &[])),
            (13, other(fourth, &[])),
        ])
    };
    let missing = Missing { prerequisites: vec![id(12), id(13)], ..Missing::default() };
    for open in [Status::Open, Status::InProgress, Status::Blocked] {
        given::<Task>(past.clone())
            .facts(facts(open, open))
            .when(complete())
            .refused(Rejection::Incomplete(Box::new(missing.clone())));
    }
    given::<Task>(past)
        .facts(facts(Status::Superseded, Status::Completed))
        .when(complete())
        .then([Event::Completed]);
}
