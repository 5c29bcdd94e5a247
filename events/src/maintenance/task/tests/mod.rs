//! The rules of a task, by example.

mod completion;
mod prerequisites;
mod progress;
mod subtasks;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::aggregate::{Actor, ActorKind, Context};
use crate::ids::{TaskId, UserId};
use crate::maintenance::asset::{Level, Place};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const DUE: &str = "2026-01-09T08:00:00Z";

fn anna() -> UserId {
    id(1)
}

fn ben() -> UserId {
    id(2)
}

fn uuid(number: u128) -> Uuid {
    id(number)
}

/// The caller is let in so far; what is named is there and as it should be.
fn as_far_as(level: Level) -> Facts {
    Facts {
        me: id(9),
        reach: Some(level),
        place: Place::Open,
        asset: Upkept::Active(Some(id(3))),
        photo: Photo::Picture,
        ..Facts::default()
    }
}

fn manager() -> Facts {
    as_far_as(Level::Manage)
}

fn worker() -> Facts {
    as_far_as(Level::Work)
}

fn by(user: UserId) -> Context {
    let actor = Actor { id: user.to_string(), ..context().actor };
    Context { actor, ..context() }
}

fn by_workers() -> Context {
    let actor = Actor { kind: ActorKind::Service, id: "workers".into(), ..context().actor };
    Context { actor, ..context() }
}

fn wanted() -> Create {
    Create {
        title: " Change the oil ".into(),
        details: Some("Both pumps.\nSAE 40.".into()),
        asset_id: Some(id(7)),
        unit_id: Some(id(3)),
        due_at: Some(at(DUE)),
        priority: Priority::High,
        ..Create::default()
    }
}

fn create(create: Create) -> Command {
    Command::Create(Box::new(create))
}

fn source() -> Source {
    Source { schedule_id: id(70), occurrence: "2026-01-09".parse().unwrap(), version: 2 }
}

fn what() -> Created {
    Created {
        title: "Change the oil".into(),
        details: Some("Both pumps.\nSAE 40.".into()),
        asset_id: Some(id(7)),
        unit_id: Some(id(3)),
        source: None,
        due_at: Some(at(DUE)),
        priority: Priority::High,
        requirements: Requirements::default(),
    }
}

fn created() -> Event {
    Event::Created(what())
}

fn assigned(users: &[UserId]) -> Event {
    Event::Assigned { user_ids: users.to_vec() }
}

/// A task that Anna, who calls unless told otherwise, is at.
fn begun() -> Vec<Event> {
    vec![created(), assigned(&[anna()]), Event::Started]
}

fn change(change: Change) -> Command {
    Command::Manage(Manage::Change(change))
}

fn assign(users: &[UserId]) -> Command {
    Command::Manage(Manage::SetAssignees { user_ids: users.to_vec() })
}

fn reason() -> String {
    "no parts".into()
}

fn cancel() -> Command {
    Command::Manage(Manage::Cancel { reason: reason() })
}

fn reschedule(due_at: Option<&str>) -> Command {
    Command::Manage(Manage::Reschedule { due_at: due_at.map(at) })
}

fn required() -> Requirements {
    Requirements {
        checklist: vec![
            Item { id: uuid(31), text: "Drain".into(), mandatory: true },
            Item { id: uuid(32), text: "Wipe".into(), mandatory: false },
        ],
        photos_min: 2,
        criteria: vec![
            Criterion {
                id: uuid(41),
                label: "Pressure in bar".into(),
                kind: ValueKind::Number,
                op: Some(Op::Gte),
                value: Some(Value::Text("2.5".into())),
            },
            Criterion {
                id: uuid(42),
                label: "Tight".into(),
                kind: ValueKind::Bool,
                op: None,
                value: Some(Value::Bool(true)),
            },
        ],
        all_assignees_confirm: true,
        subtasks_required: false,
    }
}

fn define(requirements: Requirements) -> Command {
    Command::Manage(Manage::DefineRequirements { requirements })
}

/// One command of each kind that a task takes from people once it is there.
fn every_command() -> Vec<Command> {
    let manage = [
        Manage::Change(Change { priority: Some(Priority::Low), ..Change::default() }),
        Manage::SetAssignees { user_ids: vec![ben()] },
        Manage::AddSubtask(subtasks::add(21, None)),
        Manage::ChangeSubtask { subtask_id: id(20), change: ChangeSubtask::default() },
        Manage::RemoveSubtask { subtask_id: id(20) },
        Manage::DefineRequirements { requirements: Requirements::default() },
        Manage::SetPrerequisites { task_ids: vec![] },
        Manage::Reschedule { due_at: None },
        Manage::Cancel { reason: reason() },
    ];
    let work = [
        Work::CompleteSubtask { subtask_id: id(20) },
        Work::ReopenSubtask { subtask_id: id(20) },
        Work::Tick { item_id: uuid(31), ticked: true },
        Work::AttachPhoto { file_id: id(51) },
        Work::DetachPhoto { file_id: id(50) },
        Work::RecordCriterion { criterion_id: uuid(42), value: Value::Bool(true) },
        Work::Confirm,
        Work::Start,
        Work::Block { reason: reason() },
    ];
    let manage = manage.into_iter().map(Command::Manage);
    manage.chain(work.into_iter().map(Command::Work)).collect()
}

/// A task that takes every one of them.
fn full() -> Vec<Event> {
    let mut events = begun();
    events.push(subtasks::added(20, None));
    events.push(Event::RequirementsDefined { requirements: required() });
    events.push(Event::PhotoAttached { file_id: id(50) });
    events
}

#[test]
fn samples_are_frozen() {
    let amended = Amended {
        title: Some("Change oil and filter".into()),
        details: Some(None),
        priority: Some(Priority::Urgent),
    };
    let whole = Created { source: Some(source()), requirements: required(), ..what() };
    let (from, due_at) = (Some(at(DUE)), Some(at("2026-01-12T08:00:00Z")));
    let in_the_middle = [
        Event::SubtaskRenamed { subtask_id: id(20), title: "Drain the oil".into() },
        Event::SubtaskMoved { subtask_id: id(20), from: None, parent_id: Some(id(21)) },
        Event::SubtaskAssigned { subtask_id: id(20), assignees: vec![anna()] },
        Event::SubtaskCompleted { subtask_id: id(20) },
        Event::SubtaskReopened { subtask_id: id(20) },
        Event::SubtaskRemoved { subtask_id: id(21), below: vec![id(20)] },
        Event::RequirementsDefined { requirements: required() },
        Event::PrerequisitesLinked { task_ids: vec![id(10), id(11)] },
        Event::PrerequisitesUnlinked { task_ids: vec![id(11)] },
        Event::Started,
        Event::ChecklistTicked { item_id: uuid(31) },
        Event::ChecklistUnticked { item_id: uuid(31) },
        Event::PhotoAttached { file_id: id(50) },
        Event::PhotoDetached { file_id: id(50) },
        Event::CriterionRecorded { criterion_id: uuid(41), value: Value::Text("2.75".into()) },
        Event::AssigneeConfirmed { user_id: anna() },
        Event::Blocked { reason: reason() },
        Event::Resumed,
        Event::Completed,
        Event::Reopened { reason: "it drips".into() },
        Event::Rescheduled { from, due_at },
        Event::DueAnnounced { due_at: at(DUE) },
        Event::OverdueAnnounced { due_at: at(DUE) },
        Event::Cancelled { reason: reason() },
        Event::Superseded { by_version: 3 },
    ];
    let first = [
        Event::Created(whole),
        Event::Amended(amended),
        assigned(&[anna(), ben()]),
        Event::Unassigned { user_ids: vec![ben()] },
        Event::SubtaskAdded {
            subtask_id: id(20),
            parent_id: Some(id(21)),
            title: "Catch it".into(),
            mandatory: false,
            assignees: vec![anna()],
        },
    ];
    frozen::<Task>(first.into_iter().chain(in_the_middle));
}

#[test]
fn is_created_once_with_whoever_is_to_do_it() {
    let whole = Create { assignees: vec![ben(), anna(), ben()], ..wanted() };
    given::<Task>([])
        .facts(manager())
        .when(create(whole))
        .then([created(), assigned(&[anna(), ben()])]);
    given::<Task>([created()]).facts(manager()).when(create(wanted())).refused(Rejection::Exists);
}

#[test]
fn what_cannot_be_used_is_refused_by_the_name_of_its_member() {
    let cases = [
        (Create { title: " ".into(), ..wanted() }, Rejection::TitleInvalid(Fault::Empty)),
        (
            Create { title: "x".repeat(201), ..wanted() },
            Rejection::TitleInvalid(Fault::TooLong(200)),
        ),
        (
            Create { details: Some("a\0b".into()), ..wanted() },
            Rejection::DetailsInvalid(Fault::Control),
        ),
        (Create { assignees: (100..151).map(id).collect(), ..wanted() }, Rejection::AssigneesFull),
    ];
    for (wanted, rejection) in cases {
        given::<Task>([]).facts(manager()).when(create(wanted)).refused(rejection);
    }
    let many = (100..151).map(id).collect::<Vec<UserId>>();
    given::<Task>([created()])
        .facts(manager())
        .when(assign(&many))
        .refused(Rejection::AssigneesFull);
}

#[test]
fn is_on_an_asset_that_is_there_and_belongs_where_that_does() {
    for (asset, rejection) in [
        (Upkept::Unknown, Rejection::AssetUnknown),
        (Upkept::Retired, Rejection::AssetRetired),
        (Upkept::Active(None), Rejection::UnitMismatch),
        (Upkept::Active(Some(id(4))), Rejection::UnitMismatch),
    ] {
        let facts = Facts { asset, ..manager() };
        given::<Task>([]).facts(facts).when(create(wanted())).refused(rejection);
    }
    // The unit of an asset may be closed by now; the asset is there still.
    let closed = Facts { place: Place::Closed, ..manager() };
    given::<Task>([]).facts(closed.clone()).when(create(wanted())).then([created()]);
    let of_none = Create { asset_id: None, ..wanted() };
    given::<Task>([]).facts(closed).when(create(of_none.clone())).refused(Rejection::UnitClosed);
    let nowhere = Facts { place: Place::Unknown, ..manager() };
    given::<Task>([]).facts(nowhere).when(create(of_none)).refused(Rejection::UnitUnknown);
}

#[test]
fn workers_alone_say_what_plan_it_comes_of_and_go_on_without_who_has_left() {
    let of_plan = Create { source: Some(source()), assignees: vec![anna(), ben()], ..wanted() };
    given::<Task>([])
        .facts(manager())
        .when(create(of_plan.clone()))
        .refused(Rejection::WorkersOnly);
    let facts = Facts { strangers: BTreeSet::from([ben()]), ..manager() };
    let made = Event::Created(Created { source: Some(source()), ..what() });
    given::<Task>([])
        .facts(facts.clone())
        .context(by_workers())
        .when(create(of_plan))
        .then([made, assigned(&[anna()])]);
    let by_hand = Create { assignees: vec![anna(), ben()], ..wanted() };
    given::<Task>([])
        .facts(facts.clone())
        .when(create(by_hand))
        .refused(Rejection::AssigneeUnknown(ben()));
    given::<Task>([created()])
        .facts(facts)
        .when(assign(&[ben()]))
        .refused(Rejection::AssigneeUnknown(ben()));
}

#[test]
fn a_change_tells_only_what_is_other_than_before() {
    let nothing = Change {
        title: Some("Change the oil".into()),
        details: Some(what().details),
        priority: Some(Priority::High),
    };
    given::<Task>([created()]).facts(manager()).when(change(nothing)).then([]);
    let some = Change { details: Some(None), priority: Some(Priority::Low), title: None };
    let amended =
        Amended { details: Some(None), priority: Some(Priority::Low), ..Amended::default() };
    given::<Task>([created()])
        .facts(manager())
        .when(change(some))
        .then([Event::Amended(amended.clone())]);
    let mut task = Task::default();
    for event in [created(), Event::Amended(amended)] {
        task.evolve(&event);
    }
    assert_eq!(
        (&*task.title, task.details, task.priority),
        ("Change the oil", None, Priority::Low)
    );
}

#[test]
fn who_is_to_do_it_is_replaced_and_only_what_differs_is_told() {
    let past = [created(), assigned(&[anna()])];
    let gone = Event::Unassigned { user_ids: vec![anna()] };
    given::<Task>(past.clone())
        .facts(manager())
        .when(assign(&[ben()]))
        .then([gone.clone(), assigned(&[ben()])]);
    given::<Task>(past.clone()).facts(manager()).when(assign(&[anna()])).then([]);
    given::<Task>(past).facts(manager()).when(assign(&[])).then([gone]);
    let mut task = Task::default();
    task.evolve(&created());
    task.evolve(&assigned(&[anna(), ben()]));
    assert_eq!(task.readers(), [format!("user:{}", anna()), format!("user:{}", ben())]);
}

#[test]
fn each_command_takes_its_level_and_to_whom_nothing_is_shown_there_is_nothing() {
    for command in every_command() {
        let needed = command.needs();
        given::<Task>([]).facts(manager()).when(command.clone()).refused(Rejection::Unknown);
        given::<Task>(full())
            .facts(Facts { reach: None, ..manager() })
            .when(command.clone())
            .refused(Rejection::Unknown);
        for level in Level::ALL {
            let then = given::<Task>(full()).facts(as_far_as(*level)).when(command.clone());
            if *level < needed {
                then.refused(Rejection::BeyondLevel(needed));
            } else {
                assert!(then.result().is_ok(), "{command:?} by {level}");
            }
        }
    }
}

#[test]
fn only_those_who_are_assigned_do_it_or_whoever_manages_it() {
    for command in every_command().into_iter().filter(|it| it.needs() == Level::Work) {
        let by_ben = |facts| given::<Task>(full()).facts(facts).context(by(ben()));
        by_ben(worker()).when(command.clone()).refused(Rejection::NotAssignee);
        let managed = by_ben(manager()).when(command.clone());
        if command == Command::Work(Work::Confirm) {
            managed.refused(Rejection::NotAssignee);
        } else {
            assert!(managed.result().is_ok(), "{command:?}");
        }
    }
}

#[test]
fn what_is_for_workers_is_refused_to_people_whatever_they_may() {
    for report in
        [Report::Supersede { by_version: 3 }, Report::Announce { due_at: at(DUE), overdue: true }]
    {
        given::<Task>([created()])
            .facts(manager())
            .when(Command::Report(report))
            .refused(Rejection::WorkersOnly);
    }
}
