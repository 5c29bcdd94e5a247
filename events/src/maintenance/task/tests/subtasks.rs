//! The parts of a task.

use proptest::prelude::*;

use super::*;
use crate::aggregate::Decider as _;
use crate::ids::SubtaskId;

pub(super) fn add(subtask: u128, parent: Option<u128>) -> AddSubtask {
    AddSubtask {
        subtask_id: id(subtask),
        parent_id: parent.map(id),
        title: format!("Subtask {subtask}"),
        mandatory: true,
        assignees: vec![],
    }
}

pub(super) fn added(subtask: u128, parent: Option<u128>) -> Event {
    let AddSubtask { subtask_id, parent_id, title, mandatory, assignees } = add(subtask, parent);
    Event::SubtaskAdded { subtask_id, parent_id, title, mandatory, assignees }
}

fn optional(subtask: u128, parent: Option<u128>) -> Event {
    let AddSubtask { subtask_id, parent_id, title, assignees, .. } = add(subtask, parent);
    Event::SubtaskAdded { subtask_id, parent_id, title, mandatory: false, assignees }
}

fn manage(manage: Manage) -> Command {
    Command::Manage(manage)
}

fn move_to(subtask: u128, parent: Option<u128>) -> Command {
    let change = ChangeSubtask { parent_id: Some(parent.map(id)), ..ChangeSubtask::default() };
    manage(Manage::ChangeSubtask { subtask_id: id(subtask), change })
}

fn moved(subtask: u128, from: Option<u128>, parent: Option<u128>) -> Event {
    let (from, parent_id) = (from.map(id), parent.map(id));
    Event::SubtaskMoved { subtask_id: id(subtask), from, parent_id }
}

fn complete(subtask: u128) -> Command {
    Command::Work(Work::CompleteSubtask { subtask_id: id(subtask) })
}

fn completed(subtask: u128) -> Event {
    Event::SubtaskCompleted { subtask_id: id(subtask) }
}

fn reopen(subtask: u128) -> Command {
    Command::Work(Work::ReopenSubtask { subtask_id: id(subtask) })
}

fn reopened(subtask: u128) -> Event {
    Event::SubtaskReopened { subtask_id: id(subtask) }
}

fn after(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    begun().into_iter().chain(events).collect()
}

/// 20 above 21 above 22 and so on, so many levels.
fn chain(levels: u128) -> Vec<Event> {
    let part = |level| added(20 + level, (level > 0).then(|| 19 + level));
    after((0..levels).map(part))
}

#[test]
fn are_added_below_others_down_to_the_fifth_level() {
    let add = |subtask, parent| manage(Manage::AddSubtask(add(subtask, parent)));
    given::<Task>(chain(4)).facts(manager()).when(add(30, Some(23))).then([added(30, Some(23))]);
    given::<Task>(chain(5))
        .facts(manager())
        .when(add(30, Some(24)))
        .refused(Rejection::SubtaskTooDeep);
    given::<Task>(chain(1)).facts(manager()).when(add(20, None)).refused(Rejection::SubtaskExists);
    given::<Task>(chain(1))
        .facts(manager())
        .when(add(30, Some(40)))
        .refused(Rejection::SubtaskParentUnknown);
    given::<Task>(after([added(20, None), completed(20)]))
        .facts(manager())
        .when(add(30, Some(20)))
        .refused(Rejection::SubtaskParentDone);
    let many = after((1000..1200).map(|subtask| added(subtask, None)));
    given::<Task>(many).facts(manager()).when(add(30, None)).refused(Rejection::SubtasksFull);
}

#[test]
fn are_called_something_and_done_by_some_of_those_who_are_assigned() {
    let untitled = AddSubtask { title: " ".into(), ..add(20, None) };
    given::<Task>(begun())
        .facts(manager())
        .when(manage(Manage::AddSubtask(untitled)))
        .refused(Rejection::TitleInvalid(Fault::Empty));
    let of = |users: &[UserId]| AddSubtask { assignees: users.to_vec(), ..add(20, None) };
    given::<Task>(begun())
        .facts(manager())
        .when(manage(Manage::AddSubtask(of(&[anna(), ben()]))))
        .refused(Rejection::SubtaskAssigneeInvalid(ben()));
    let change = |change| manage(Manage::ChangeSubtask { subtask_id: id(20), change });
    let both = ChangeSubtask {
        title: Some(" Drain ".into()),
        assignees: Some(vec![anna(), anna()]),
        parent_id: None,
    };
    let renamed = Event::SubtaskRenamed { subtask_id: id(20), title: "Drain".into() };
    let hers = Event::SubtaskAssigned { subtask_id: id(20), assignees: vec![anna()] };
    given::<Task>(chain(1))
        .facts(manager())
        .when(change(both.clone()))
        .then([renamed.clone(), hers.clone()]);
    let past = [chain(1), vec![renamed, hers]].concat();
    given::<Task>(past.clone()).facts(manager()).when(change(both)).then([]);
    let bens = ChangeSubtask { assignees: Some(vec![ben()]), ..ChangeSubtask::default() };
    given::<Task>(past.clone())
        .facts(manager())
        .when(change(bens))
        .refused(Rejection::SubtaskAssigneeInvalid(ben()));
    let mut task = Task::default();
    let gone = Event::Unassigned { user_ids: vec![anna()] };
    for event in past.into_iter().chain([gone]) {
        task.evolve(&event);
    }
    assert!(task.subtasks[&id(20)].assignees.is_empty());
}

#[test]
fn are_moved_with_all_below_them_and_never_below_themselves() {
    let past = || chain(3).into_iter().chain([added(30, None), added(31, Some(30))]);
    let asked =
        |subtask, parent| given::<Task>(past()).facts(manager()).when(move_to(subtask, parent));
    asked(21, Some(30)).then([moved(21, Some(20), Some(30))]);
    asked(21, None).then([moved(21, Some(20), None)]);
    asked(21, Some(20)).then([]);
    asked(20, Some(20)).refused(Rejection::SubtaskBelowItself);
    asked(20, Some(22)).refused(Rejection::SubtaskBelowItself);
    asked(20, Some(40)).refused(Rejection::SubtaskParentUnknown);
    asked(40, None).refused(Rejection::SubtaskUnknown);
    asked(20, Some(31)).then([moved(20, None, Some(31))]);
    let deep = past().chain([added(32, Some(31))]);
    given::<Task>(deep)
        .facts(manager())
        .when(move_to(20, Some(32)))
        .refused(Rejection::SubtaskTooDeep);
    let done = past().chain([completed(31), completed(30)]);
    given::<Task>(done.clone())
        .facts(manager())
        .when(move_to(20, Some(30)))
        .refused(Rejection::SubtaskParentDone);
    let both_done = done.chain([added(33, None), completed(33)]);
    given::<Task>(both_done).facts(manager()).when(move_to(33, Some(30))).then([moved(
        33,
        None,
        Some(30),
    )]);
}

#[test]
fn go_with_all_below_them() {
    let remove = |subtask| manage(Manage::RemoveSubtask { subtask_id: id(subtask) });
    let removed = Event::SubtaskRemoved { subtask_id: id(21), below: vec![id(22), id(23)] };
    given::<Task>(chain(4)).facts(manager()).when(remove(21)).then([removed.clone()]);
    given::<Task>(chain(1)).facts(manager()).when(remove(21)).refused(Rejection::SubtaskUnknown);
    let mut task = Task::default();
    for event in chain(4).into_iter().chain([removed]) {
        task.evolve(&event);
    }
    assert_eq!(task.subtasks.keys().copied().collect::<Vec<_>>(), [id::<SubtaskId>(20)]);
}

#[test]
fn are_not_done_before_their_mandatory_parts() {
    let past = || {
        after([added(20, None), added(21, Some(20)), added(22, Some(20)), optional(23, Some(20))])
    };
    given::<Task>(past())
        .facts(worker())
        .when(complete(20))
        .refused(Rejection::SubtaskChildrenOpen(vec![id(21), id(22)]));
    given::<Task>(past()).facts(worker()).when(complete(21)).then([completed(21)]);
    given::<Task>(past()).facts(worker()).when(complete(40)).refused(Rejection::SubtaskUnknown);
    let rest = [past(), vec![completed(21), completed(22)]].concat();
    given::<Task>(rest.clone()).facts(worker()).when(complete(20)).then([completed(20)]);
    given::<Task>(rest).facts(worker()).when(complete(21)).then([]);
}

#[test]
fn reopen_what_they_are_part_of() {
    let done = [chain(3), vec![completed(22), completed(21), completed(20)]].concat();
    given::<Task>(done.clone()).facts(worker()).when(reopen(22)).then([
        reopened(22),
        reopened(21),
        reopened(20),
    ]);
    given::<Task>(done).facts(worker()).when(reopen(20)).then([reopened(20)]);
    given::<Task>(chain(1)).facts(worker()).when(reopen(20)).then([]);
    given::<Task>(chain(1)).facts(worker()).when(reopen(30)).refused(Rejection::SubtaskUnknown);
}

#[test]
fn are_asked_for_where_they_are_mandatory_or_all_are() {
    // What may be left out may be left out with its parts.
    let past =
        after([added(20, None), optional(21, Some(20)), optional(30, None), added(31, Some(30))]);
    let missing = |events: &[Event]| -> Vec<SubtaskId> {
        let mut task = Task::default();
        for event in events {
            task.evolve(event);
        }
        task.missing().subtasks.into_iter().map(|it| it.id).collect()
    };
    assert_eq!(missing(&past), [id::<SubtaskId>(20)]);
    let all = Requirements { subtasks_required: true, ..Requirements::default() };
    let strict = [past, vec![Event::RequirementsDefined { requirements: all }]].concat();
    assert_eq!(missing(&strict), [20, 21, 30, 31].map(id::<SubtaskId>));
}

fn any_subtask() -> impl Strategy<Value = u128> {
    20..40_u128
}

fn any_parent() -> impl Strategy<Value = Option<u128>> {
    proptest::option::weighted(0.9, any_subtask())
}

fn any_command() -> impl Strategy<Value = Command> {
    let adding = (any_subtask(), any_parent(), any::<bool>());
    prop_oneof![
        5 => adding.prop_map(|(subtask, parent, mandatory)| {
            manage(Manage::AddSubtask(AddSubtask { mandatory, ..add(subtask, parent) }))
        }),
        5 => (any_subtask(), any_parent()).prop_map(|(subtask, parent)| move_to(subtask, parent)),
        4 => any_subtask().prop_map(complete),
        1 => any_subtask().prop_map(reopen),
        1 => any_subtask().prop_map(|it| manage(Manage::RemoveSubtask { subtask_id: id(it) })),
    ]
}

proptest! {
    #[test]
    fn stay_a_tree_whatever_is_asked(commands in prop::collection::vec(any_command(), 0..150)) {
        let mut task = Task::default();
        for event in begun() {
            task.evolve(&event);
        }
        for command in commands {
            for event in task.decide(command, &manager(), &context()).unwrap_or_default() {
                task.evolve(&event);
            }
        }
        for (id, subtask) in &task.subtasks {
            let above = |id: &SubtaskId| task.subtasks[id].parent_id;
            let levels = std::iter::successors(Some(*id), above).take(10).count();
            prop_assert!(levels <= SUBTASK_LEVELS_MAX_COUNT, "{} levels", levels);
            let is_open = subtask.mandatory && !subtask.done;
            let of_done = subtask.parent_id.is_some_and(|parent| task.subtasks[&parent].done);
            prop_assert!(!(is_open && of_done), "{} is open in what is done", id);
        }
    }
}
