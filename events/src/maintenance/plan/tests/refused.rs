//! What a plan refuses, and to whom.

use super::*;
use crate::aggregate::{Actor, ActorKind, Class, Rejection as _};
use crate::maintenance::task;
use crate::text::Fault;

fn added_as(wanted: Add, facts: Facts) -> crate::testing::Then<Plan> {
    given::<Plan>([added(FILTER, &[])]).facts(facts).when(Command::Add(Box::new(wanted)))
}

#[test]
fn whoever_may_not_know_of_the_plan_hears_that_there_is_none() {
    for command in every_command() {
        let as_reader = Facts { reach: Some(asset::Level::View), ..manager() };
        let as_stranger = Facts { reach: None, ..manager() };
        let past = || given::<Plan>([added(OIL, &[])]);
        past().facts(as_reader).when(command.clone()).refused(Rejection::NotManager);
        past().facts(as_stranger).when(command.clone()).refused(Rejection::Unknown);
        given::<Plan>([]).facts(manager()).when(command).refused(Rejection::Unknown);
    }
    let as_stranger = Facts { reach: None, ..manager() };
    added_as(add(OIL, &[]), as_stranger).refused(Rejection::AssetUnknown);
}

#[test]
fn a_retired_asset_takes_no_schedules() {
    let retired = || Facts { asset: asset::Status::Retired, ..manager() };
    added_as(add(OIL, &[]), retired()).refused(Rejection::AssetRetired);
    for command in every_command() {
        given::<Plan>([added(OIL, &[])])
            .facts(retired())
            .when(command)
            .refused(Rejection::AssetRetired);
    }
}

#[test]
fn nobody_alone_adds_a_schedule() {
    let actor = Actor { kind: ActorKind::Service, ..context().actor };
    given::<Plan>([])
        .facts(manager())
        .context(Context { actor, ..context() })
        .when(Command::Add(Box::new(add(OIL, &[]))))
        .refused(Rejection::OwnerMissing);
}

#[test]
fn what_cannot_be_used_is_refused_by_the_name_of_its_member() {
    let with = |change: fn(&mut Add)| {
        let mut wanted = add(OIL, &[]);
        change(&mut wanted);
        added_as(wanted, manager()).result().unwrap_err()
    };
    for (change, rejection, pointer) in [
        (
            (|add| add.title = " ".into()) as fn(&mut Add),
            Rejection::TitleInvalid(Fault::Empty),
            "/title",
        ),
        (
            |add| add.task.title = String::new(),
            Rejection::TaskTitleInvalid(Fault::Empty),
            "/task/title",
        ),
        (
            |add| add.task.details = Some("x".repeat(5_000)),
            Rejection::DetailsInvalid(Fault::TooLong(task::DETAILS_MAX_CHARS)),
            "/task/details",
        ),
        (
            |add| add.task.assignees = vec![id(5), id(5)],
            Rejection::AssigneeTwice(id(5)),
            "/task/assignees",
        ),
        (
            |add| add.task.assignees = (0..51).map(id).collect(),
            Rejection::AssigneesFull,
            "/task/assignees",
        ),
        (
            |add| add.task.requirements.photos_min = 51,
            Rejection::Requirements(task::Rejection::PhotosMinInvalid),
            "/task/requirements",
        ),
        (
            |add| add.terms.max_fires = Some(0),
            Rejection::Terms(trigger::Rejection::PeriodInvalid),
            "/ends_at",
        ),
        (
            |add| add.terms.spec = Spec::Once { at: at("2025-01-01T00:00:00Z") },
            Rejection::Terms(trigger::Rejection::NothingAhead),
            "/spec",
        ),
        (
            |add| add.terms.lead_secs = Some(91 * 24 * 3_600),
            Rejection::Terms(trigger::Rejection::LeadInvalid),
            "/lead_secs",
        ),
        (
            |add| add.depends_on = vec![schedule(99)],
            Rejection::DependencyUnknown(schedule(99)),
            "/depends_on",
        ),
        (
            |add| add.depends_on = vec![schedule(OIL)],
            Rejection::DependencyCyclic(schedule(OIL)),
            "/depends_on",
        ),
    ] {
        let refused = with(change);
        assert_eq!(refused, rejection);
        assert_eq!(refused.pointer(), Some(pointer), "{refused}");
    }
    assert_eq!(Rejection::Terms(trigger::Rejection::LeadInvalid).code(), "TRIGGER_LEAD_INVALID");
    assert_eq!(Rejection::Terms(trigger::Rejection::NotByUsage).class(), Class::Conflict);
}

#[test]
fn only_who_is_named_anew_has_to_be_there() {
    let gone = || Facts { strangers: [id::<UserId>(5), id(6)].into(), ..manager() };
    added_as(add(OIL, &[]), gone()).refused(Rejection::AssigneeUnknown(id(5)));
    let change = |assignees: Vec<UserId>| {
        let task = Template { assignees, ..task("Change the oil and the seal") };
        let command = revise(OIL, Revise { task: Some(task), ..Revise::default() });
        given::<Plan>([added(OIL, &[])]).facts(gone()).when(command)
    };
    assert_eq!(change(vec![id(5)]).result().unwrap().len(), 1);
    change(vec![id(5), id(6)]).refused(Rejection::AssigneeUnknown(id(6)));
}

#[test]
fn an_asset_has_so_many_schedules_and_no_more() {
    let most = u128::try_from(SCHEDULES_MAX_COUNT).unwrap();
    let full = (100..100 + most).map(|number| added(number, &[]));
    given::<Plan>(full)
        .facts(manager())
        .when(Command::Add(Box::new(add(OIL, &[]))))
        .refused(Rejection::PlanFull);
}

#[test]
fn what_counts_usage_stays_so() {
    let subject = Subject { kind: "maintenance.asset".into(), id: id(3) };
    let spec = Spec::Usage { subject, counter: "hours".into(), every: 250, first_at: None };
    given::<Plan>([added(OIL, &[])])
        .facts(manager())
        .when(revise(OIL, Revise { spec: Some(spec), ..Revise::default() }))
        .refused(Rejection::Terms(trigger::Rejection::KindFixed));
}

#[test]
fn what_is_over_is_not_revised_paused_or_resumed() {
    let schedule_id = schedule(OIL);
    let past = || [added(OIL, &[]), completed(schedule_id)];
    for command in [
        revise(OIL, Revise { title: Some("Grease".into()), ..Revise::default() }),
        Command::Pause { schedule_id },
        Command::Resume { schedule_id },
    ] {
        given::<Plan>(past()).facts(manager()).when(command).refused(Rejection::Finished);
    }
    given::<Plan>(past())
        .facts(manager())
        .when(Command::Remove { schedule_id })
        .then([removed(OIL)]);
    given::<Plan>(past()).when(complete(schedule_id, None)).then([]);
}

#[test]
fn schedules_do_not_come_before_themselves() {
    let set = |number: u128, before: &[u128]| {
        let depends_on = before.iter().map(|before| schedule(*before)).collect();
        let command = Command::SetDependencies { schedule_id: schedule(number), depends_on };
        given::<Plan>(chain()).facts(manager()).when(command)
    };
    set(OIL, &[OIL]).refused(Rejection::DependencyCyclic(schedule(OIL)));
    set(OIL, &[FILTER]).refused(Rejection::DependencyCyclic(schedule(FILTER)));
    set(OIL, &[BELT]).refused(Rejection::DependencyCyclic(schedule(BELT)));
    set(BELT, &[OIL, FILTER, OIL]).then([replaced(BELT, &[OIL, FILTER])]);
    set(BELT, &[FILTER]).then([]);
    set(BELT, &[99]).refused(Rejection::DependencyUnknown(schedule(99)));
    let through = Revise { depends_on: Some(vec![schedule(BELT)]), ..Revise::default() };
    given::<Plan>(chain())
        .facts(manager())
        .when(revise(OIL, through))
        .refused(Rejection::DependencyCyclic(schedule(BELT)));
}
