//! How a task goes on, and what a plan may do to it.

use super::*;

fn work(work: Work) -> Command {
    Command::Work(work)
}

fn start() -> Command {
    work(Work::Start)
}

fn block() -> Command {
    work(Work::Block { reason: reason() })
}

fn reopen() -> Command {
    work(Work::Reopen { reason: reason() })
}

fn blocked() -> Event {
    Event::Blocked { reason: reason() }
}

fn cancelled() -> Event {
    Event::Cancelled { reason: reason() }
}

/// A task of a status, and what it leads to by each of start, block, complete, reopen, cancel.
type Row = (Vec<Event>, [Result<Vec<Event>, Rejection>; 5]);

fn table() -> Vec<Row> {
    let open = vec![created(), assigned(&[anna()])];
    let after = |events: &[Event]| [begun(), events.to_vec()].concat();
    let reopened = || Event::Reopened { reason: reason() };
    let over = |status| Err(Rejection::Over(status));
    let gone = |status| [over(status), over(status), over(status), over(status), over(status)];
    let mut called_off = gone(Status::Cancelled);
    called_off[4] = Ok(vec![]);
    vec![
        (
            open.clone(),
            [
                Ok(vec![Event::Started]),
                Err(Rejection::NotStarted),
                Err(Rejection::NotStarted),
                Err(Rejection::NotCompleted),
                Ok(vec![cancelled()]),
            ],
        ),
        (
            begun(),
            [
                Ok(vec![]),
                Ok(vec![blocked()]),
                Ok(vec![Event::Completed]),
                Err(Rejection::NotCompleted),
                Ok(vec![cancelled()]),
            ],
        ),
        (
            after(&[blocked()]),
            [
                Ok(vec![Event::Resumed]),
                Ok(vec![]),
                Err(Rejection::Blocked),
                Err(Rejection::NotCompleted),
                Ok(vec![cancelled()]),
            ],
        ),
        (
            after(&[Event::Completed]),
            [
                Err(Rejection::Completed),
                Err(Rejection::Completed),
                Ok(vec![]),
                Ok(vec![reopened()]),
                Err(Rejection::Completed),
            ],
        ),
        (
            after(&[Event::Completed, reopened()]),
            [
                Ok(vec![]),
                Ok(vec![blocked()]),
                Ok(vec![Event::Completed]),
                Err(Rejection::NotCompleted),
                Ok(vec![cancelled()]),
            ],
        ),
        (after(&[cancelled()]), called_off),
        ([open, vec![Event::Superseded { by_version: 3 }]].concat(), gone(Status::Superseded)),
    ]
}

#[test]
fn goes_from_where_it_stands_to_where_it_can_and_nowhere_else() {
    let complete = work(Work::Complete);
    for (past, expected) in table() {
        let commands = [start(), block(), complete.clone(), reopen(), cancel()];
        for (command, expected) in commands.into_iter().zip(expected) {
            let told = format!("{command:?} after {:?}", past.last());
            let facts = if command == cancel() { manager() } else { worker() };
            let then = given::<Task>(past.clone()).facts(facts).when(command);
            assert_eq!(then.result(), expected, "{told}");
        }
    }
}

#[test]
fn nothing_is_recorded_of_it_but_while_somebody_is_at_it() {
    let last = |event: Event| [full(), vec![event]].concat();
    let of_work = || every_command().into_iter().filter(|it| it.needs() == Level::Work);
    let recorded = of_work().filter(|it| *it != start() && *it != block());
    for command in recorded {
        for (event, rejection) in [
            (blocked(), Rejection::Blocked),
            (Event::Completed, Rejection::Completed),
            (cancelled(), Rejection::Over(Status::Cancelled)),
        ] {
            given::<Task>(last(event)).facts(worker()).when(command.clone()).refused(rejection);
        }
        given::<Task>([created(), assigned(&[anna()])])
            .facts(worker())
            .when(command)
            .refused(Rejection::NotStarted);
    }
}

#[test]
fn what_is_over_is_not_changed_either() {
    let last = |event: Event| [full(), vec![event]].concat();
    for command in every_command().into_iter().filter(|it| it.needs() == Level::Manage) {
        let done = given::<Task>(last(Event::Completed)).facts(manager()).when(command.clone());
        done.refused(Rejection::Completed);
        let off = given::<Task>(last(cancelled())).facts(manager()).when(command.clone());
        if command == cancel() {
            off.then([]);
        } else {
            off.refused(Rejection::Over(Status::Cancelled));
        }
    }
}

#[test]
fn a_reason_is_given() {
    for command in [
        work(Work::Block { reason: " ".into() }),
        work(Work::Reopen { reason: String::new() }),
        Command::Manage(Manage::Cancel { reason: String::new() }),
    ] {
        given::<Task>(begun())
            .facts(manager())
            .when(command)
            .refused(Rejection::ReasonInvalid(Fault::Empty));
    }
}

#[test]
fn whoever_confirmed_does_so_again_after_it_was_reopened() {
    let confirmed = Event::AssigneeConfirmed { user_id: anna() };
    let mut past = begun();
    let confirm = || work(Work::Confirm);
    given::<Task>(past.clone()).facts(worker()).when(confirm()).then([confirmed.clone()]);
    past.push(confirmed.clone());
    given::<Task>(past.clone()).facts(worker()).when(confirm()).then([]);
    past.extend([Event::Completed, Event::Reopened { reason: reason() }]);
    given::<Task>(past).facts(worker()).when(confirm()).then([confirmed]);
}

#[test]
fn photos_are_pictures_that_are_there_each_once() {
    let attach = || work(Work::AttachPhoto { file_id: id(50) });
    let attached = Event::PhotoAttached { file_id: id(50) };
    for (photo, rejection) in [
        (Photo::Unknown, Rejection::PhotoUnknown),
        (Photo::Held, Rejection::PhotoHeld),
        (Photo::Other, Rejection::PhotoNotPicture),
    ] {
        let facts = Facts { photo, ..worker() };
        given::<Task>(begun()).facts(facts).when(attach()).refused(rejection);
    }
    given::<Task>(begun()).facts(worker()).when(attach()).then([attached.clone()]);
    let with_one = [begun(), vec![attached]].concat();
    given::<Task>(with_one.clone()).facts(worker()).when(attach()).then([]);
    let detach = |file| work(Work::DetachPhoto { file_id: id(file) });
    let detached = Event::PhotoDetached { file_id: id(50) };
    given::<Task>(with_one.clone()).facts(worker()).when(detach(50)).then([detached]);
    given::<Task>(with_one).facts(worker()).when(detach(51)).refused(Rejection::PhotoNotAttached);
    let many = (100..150).map(|file| Event::PhotoAttached { file_id: id(file) });
    given::<Task>(begun().into_iter().chain(many))
        .facts(worker())
        .when(attach())
        .refused(Rejection::PhotosFull);
}

#[test]
fn is_put_off_and_what_was_announced_is_announced_anew() {
    let later = "2026-01-12T08:00:00Z";
    let put_off = Event::Rescheduled { from: Some(at(DUE)), due_at: Some(at(later)) };
    let at_any_time = Event::Rescheduled { from: Some(at(DUE)), due_at: None };
    for past in [vec![created()], begun()] {
        let asked = |due| given::<Task>(past.clone()).facts(manager()).when(reschedule(due));
        asked(Some(later)).then([put_off.clone()]);
        asked(None).then([at_any_time.clone()]);
        asked(Some(DUE)).then([]);
    }
    let mut task = Task::default();
    let told =
        [Event::DueAnnounced { due_at: at(DUE) }, Event::OverdueAnnounced { due_at: at(DUE) }];
    for event in [created()].into_iter().chain(told).chain([put_off]) {
        task.evolve(&event);
    }
    assert_eq!((task.due_announced, task.overdue_announced), (false, false));
    assert_eq!(task.due_at, Some(at(later)));
}

#[test]
fn a_plan_replaces_or_puts_off_only_what_nobody_has_begun() {
    let asked = |past: Vec<Event>, command: Command| {
        given::<Task>(past).facts(manager()).context(by_workers()).when(command)
    };
    let supersede = || Command::Report(Report::Supersede { by_version: 3 });
    let superseded = Event::Superseded { by_version: 3 };
    asked(vec![created()], supersede()).then([superseded.clone()]);
    asked(vec![created(), superseded.clone()], supersede()).then([]);
    asked(vec![created(), cancelled()], supersede()).refused(Rejection::Over(Status::Cancelled));
    let off = Event::Rescheduled { from: Some(at(DUE)), due_at: None };
    asked(vec![created()], reschedule(None)).then([off]);
    for past in [
        begun(),
        [begun(), vec![blocked()]].concat(),
        [begun(), vec![Event::Completed]].concat(),
        [begun(), vec![Event::Completed, Event::Reopened { reason: reason() }]].concat(),
    ] {
        asked(past.clone(), supersede()).refused(Rejection::Started);
        let put_off = asked(past, reschedule(None)).result();
        assert!(matches!(put_off, Err(Rejection::Started | Rejection::Completed)), "{put_off:?}");
    }
}

#[test]
fn is_announced_a_day_before_and_when_it_was_due_each_once() {
    let asked = |past: &[Event], (due, overdue): (&str, bool), now: &str| {
        let context = Context { now: at(now), ..by_workers() };
        let command = Command::Report(Report::Announce { due_at: at(due), overdue });
        let past = [vec![created()], past.to_vec()].concat();
        given::<Task>(past).facts(manager()).context(context).when(command).result()
    };
    let (soon, over) =
        (Event::DueAnnounced { due_at: at(DUE) }, Event::OverdueAnnounced { due_at: at(DUE) });
    let (day_before, late) = ("2026-01-08T08:00:00Z", "2026-02-08T09:00:00Z");
    let early = asked(&[], (DUE, false), "2026-01-08T07:59:59Z");
    assert_eq!(early, Err(Rejection::NotDue(at(day_before))));
    assert_eq!(asked(&[], (DUE, true), day_before), Err(Rejection::NotDue(at(DUE))));
    assert_eq!(asked(&[], (DUE, false), day_before), Ok(vec![soon.clone()]));
    let known = [soon.clone()];
    assert_eq!(asked(&known, (DUE, false), day_before), Ok(vec![]));
    assert_eq!(asked(&[], (DUE, false), DUE), Ok(vec![]));
    assert_eq!(asked(&[soon], (DUE, true), DUE), Ok(vec![over.clone()]));
    assert_eq!(asked(&[over], (DUE, true), late), Ok(vec![]));
    assert_eq!(asked(&[], ("2026-01-10T08:00:00Z", true), late), Ok(vec![]));
    let off = Event::Rescheduled { from: Some(at(DUE)), due_at: None };
    for gone in [off, Event::Completed, cancelled(), Event::Superseded { by_version: 3 }] {
        assert_eq!(asked(&[gone], (DUE, true), DUE), Ok(vec![]));
    }
}
