//! What it takes to complete a task.

use super::*;
use crate::aggregate::Rejection as _;

fn complete() -> Command {
    Command::Work(Work::Complete)
}

fn record(criterion: u128, value: Value) -> Command {
    Command::Work(Work::RecordCriterion { criterion_id: uuid(criterion), value })
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn recorded(criterion: u128, value: Value) -> Event {
    Event::CriterionRecorded { criterion_id: uuid(criterion), value }
}

fn tick(item: u128, ticked: bool) -> Command {
    Command::Work(Work::Tick { item_id: uuid(item), ticked })
}

fn ticked(item: u128) -> Event {
    Event::ChecklistTicked { item_id: uuid(item) }
}

fn defined(requirements: Requirements) -> Event {
    Event::RequirementsDefined { requirements }
}

/// Begun, with all that is required, a mandatory subtask, and an assignee besides.
fn demanding() -> Vec<Event> {
    let more = [defined(required()), assigned(&[ben()]), subtasks::added(20, None)];
    [begun(), more.to_vec()].concat()
}

/// What does away with what is missing, one by one.
fn steps() -> Vec<Event> {
    vec![
        Event::SubtaskCompleted { subtask_id: id(20) },
        ticked(31),
        Event::PhotoAttached { file_id: id(50) },
        Event::PhotoAttached { file_id: id(51) },
        recorded(41, text("2.5")),
        recorded(42, Value::Bool(true)),
        Event::AssigneeConfirmed { user_id: anna() },
        Event::AssigneeConfirmed { user_id: ben() },
    ]
}

fn missing(events: &[Event]) -> Missing {
    let then = given::<Task>(events.to_vec()).facts(worker()).when(complete());
    match then.result() {
        Err(Rejection::Incomplete(missing)) => *missing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn is_refused_with_all_that_is_missing_and_what_to_do() {
    let lacking = |id: u128, title: &str| Lacking { id: uuid(id), title: title.into() };
    let whole = Missing {
        subtasks: vec![Lacking { id: id(20), title: "Subtask 20".into() }],
        checklist: vec![lacking(31, "Drain")],
        photos: 2,
        criteria: vec![lacking(41, "Pressure in bar"), lacking(42, "Tight")],
        confirmations: vec![anna(), ben()],
        assignees: false,
        prerequisites: vec![],
    };
    assert_eq!(missing(&demanding()), whole);
    let rejection = Rejection::Incomplete(Box::new(whole));
    assert_eq!(
        rejection.to_string(),
        "the task is not complete: complete the subtasks Subtask 20; tick Drain; attach 2 more photos; \
         record as they should be Pressure in bar, Tight; let 2 more assignees confirm it"
    );
    let params = rejection.params();
    assert_eq!(params["checklist"][0]["title"], "Drain");
    assert_eq!(params["photos"], 2);
}

#[test]
fn takes_every_one_of_its_requirements() {
    let steps = steps();
    for left_out in 0..steps.len() {
        let mut events = demanding();
        let done = steps.iter().enumerate().filter(|(index, _)| *index != left_out);
        events.extend(done.map(|(_, event)| event.clone()));
        assert!(!missing(&events).is_nothing(), "without {:?}", steps[left_out]);
    }
    let events = demanding().into_iter().chain(steps);
    given::<Task>(events).facts(worker()).when(complete()).then([Event::Completed]);
    given::<Task>(begun()).facts(worker()).when(complete()).then([Event::Completed]);
}

#[test]
fn takes_somebody_who_confirms_where_all_are_to() {
    let confirmed = Requirements { all_assignees_confirm: true, ..Requirements::default() };
    let events = [created(), Event::Started, defined(confirmed)];
    let then = given::<Task>(events).facts(manager()).when(complete());
    let missing = Missing { assignees: true, ..Missing::default() };
    then.refused(Rejection::Incomplete(Box::new(missing)));
}

#[test]
fn a_long_sentence_names_some_and_counts_the_others() {
    let item =
        |number: u128| Item { id: uuid(number), text: format!("Item {number}"), mandatory: true };
    let long = Requirements { checklist: (1..=8).map(item).collect(), ..Requirements::default() };
    let missing = missing(&[begun(), vec![defined(long)]].concat());
    assert_eq!(missing.checklist.len(), 8);
    assert_eq!(missing.to_string(), "tick Item 1, Item 2, Item 3, Item 4, Item 5 and 3 more");
}

#[test]
fn items_are_ticked_and_unticked() {
    let past = [begun(), vec![defined(required())]].concat();
    given::<Task>(past.clone()).facts(worker()).when(tick(31, true)).then([ticked(31)]);
    given::<Task>(past.clone()).facts(worker()).when(tick(31, false)).then([]);
    given::<Task>(past.clone())
        .facts(worker())
        .when(tick(41, true))
        .refused(Rejection::ItemUnknown);
    let done = [past, vec![ticked(31)]].concat();
    given::<Task>(done.clone()).facts(worker()).when(tick(31, true)).then([]);
    let unticked = Event::ChecklistUnticked { item_id: uuid(31) };
    given::<Task>(done).facts(worker()).when(tick(31, false)).then([unticked]);
}

#[test]
fn what_is_recorded_is_of_the_kind_that_is_asked() {
    let past = || [begun(), vec![defined(required())]].concat();
    given::<Task>(past())
        .facts(worker())
        .when(record(41, text(" -0012 ")))
        .refused(Rejection::ValueInvalid(ValueKind::Number));
    for (criterion, value, kept) in [
        (41, text(" -12.50 "), text("-12.5")),
        (41, text("-0"), text("0")),
        (42, Value::Bool(false), Value::Bool(false)),
    ] {
        given::<Task>(past())
            .facts(worker())
            .when(record(criterion, value))
            .then([recorded(criterion, kept)]);
    }
    for (criterion, value, kind) in [
        (41, Value::Bool(true), ValueKind::Number),
        (41, text("much"), ValueKind::Number),
        (42, text("true"), ValueKind::Bool),
    ] {
        given::<Task>(past())
            .facts(worker())
            .when(record(criterion, value))
            .refused(Rejection::ValueInvalid(kind));
    }
    given::<Task>(past())
        .facts(worker())
        .when(record(31, text("1")))
        .refused(Rejection::CriterionUnknown);
    let known = [past(), vec![recorded(41, text("3"))]].concat();
    given::<Task>(known).facts(worker()).when(record(41, text("3.0"))).then([]);
}

#[test]
fn a_criterion_is_met_by_what_compares_as_it_says() {
    let met = |kind, op, value: Option<Value>, found: Value| {
        let criterion = Criterion { id: uuid(1), label: "Is it".into(), kind, op, value };
        criterion.is_met_by(&found)
    };
    let number =
        |op, found: &str| met(ValueKind::Number, Some(op), Some(text("-2.5")), text(found));
    for (op, below, same, above) in [
        (Op::Eq, false, true, false),
        (Op::Ne, true, false, true),
        (Op::Lt, true, false, false),
        (Op::Lte, true, true, false),
        (Op::Gt, false, false, true),
        (Op::Gte, false, true, true),
    ] {
        let found = [number(op, "-3"), number(op, "-2.5"), number(op, "0.1")];
        assert_eq!(found, [below, same, above], "{op:?}");
    }
    let line = |op, found: &str| met(ValueKind::Text, op, Some(text("Grün")), text(found));
    assert!(line(None, "GRÜN") && !line(None, "rot"));
    assert!(line(Some(Op::Contains), "hellgrün") && !line(Some(Op::Contains), "gelb"));
    assert!(line(Some(Op::Ne), "rot"));
    let yes = |found| met(ValueKind::Bool, None, Some(Value::Bool(true)), Value::Bool(found));
    assert!(yes(true) && !yes(false));
    assert!(met(ValueKind::Text, None, None, text("anything")));
    assert!(!met(ValueKind::Bool, None, Some(Value::Bool(true)), text("true")));
}

#[test]
fn requirements_that_make_no_sense_are_refused() {
    let with = |criterion: Criterion| Requirements {
        criteria: vec![Criterion { id: uuid(1), label: "Is it".into(), ..criterion }],
        ..Requirements::default()
    };
    let odd = |kind, op, value| Criterion { kind, op, value, ..Criterion::default() };
    for criterion in [
        odd(ValueKind::Bool, Some(Op::Lt), Some(Value::Bool(true))),
        odd(ValueKind::Bool, None, Some(text("true"))),
        odd(ValueKind::Number, Some(Op::Contains), Some(text("1"))),
        odd(ValueKind::Number, None, Some(text("one"))),
        odd(ValueKind::Number, Some(Op::Gt), None),
        odd(ValueKind::Text, Some(Op::Gte), Some(text("a"))),
    ] {
        let told = format!("{criterion:?}");
        let result = with(criterion).checked();
        assert_eq!(result, Err(Rejection::CriterionInvalid(uuid(1))), "{told}");
    }
    let unnamed = Criterion { id: uuid(1), label: " ".into(), ..Criterion::default() };
    let item =
        |number: u128, text: &str| Item { id: uuid(number), text: text.into(), mandatory: true };
    let list = |checklist| Requirements { checklist, ..Requirements::default() };
    let named = |label: &str| Criterion { label: label.into(), ..Criterion::default() };
    let many = (0..51).map(|number| Criterion { id: uuid(number), ..named("Is it") }).collect();
    for (requirements, rejection) in [
        (
            Requirements { criteria: vec![unnamed], ..Requirements::default() },
            Rejection::LabelInvalid(Fault::Empty),
        ),
        (list(vec![item(1, "")]), Rejection::ItemInvalid(Fault::Empty)),
        (list(vec![item(1, "a"), item(1, "b")]), Rejection::RequiredTwice(uuid(1))),
        (list((0..51).map(|number| item(number, "a")).collect()), Rejection::ChecklistFull),
        (Requirements { criteria: many, ..Requirements::default() }, Rejection::CriteriaFull),
        (Requirements { photos_min: 51, ..Requirements::default() }, Rejection::PhotosMinInvalid),
    ] {
        given::<Task>([created()])
            .facts(manager())
            .when(define(requirements.clone()))
            .refused(rejection.clone());
        let from_the_start = Create { requirements, ..wanted() };
        given::<Task>([]).facts(manager()).when(create(from_the_start)).refused(rejection);
    }
}

#[test]
fn what_was_done_of_what_stays_as_it_was_stays_done() {
    let mut other = required();
    other.checklist[0].mandatory = false;
    other.checklist[1].text = "Wipe twice".into();
    other.criteria[0].value = Some(text("3"));
    other.criteria.remove(1);
    let done =
        [ticked(31), ticked(32), recorded(41, text("2.75")), recorded(42, Value::Bool(true))];
    let past = [begun(), vec![defined(required())], done.to_vec()].concat();
    given::<Task>(past.clone()).facts(manager()).when(define(required())).then([]);
    given::<Task>(past.clone())
        .facts(manager())
        .when(define(other.clone()))
        .then([defined(other.clone())]);
    let mut task = Task::default();
    for event in past.into_iter().chain([defined(other)]) {
        task.evolve(&event);
    }
    assert_eq!(task.ticked, BTreeSet::from([uuid(31)]));
    assert_eq!(task.recorded, BTreeMap::from([(uuid(41), text("2.75"))]));
    assert_eq!(task.missing().criteria.len(), 1, "what was enough is not any more");
}

#[test]
fn is_shown_part_by_part_and_demand_by_demand() {
    let half = steps().into_iter().take(3).chain([recorded(41, text("2"))]);
    let below = [subtasks::added(21, Some(20)), subtasks::added(22, None)];
    let mut task = Task::default();
    for event in demanding().into_iter().chain(below).chain(half) {
        task.evolve(&event);
    }
    let titles = |parts: &[Part]| parts.iter().map(|it| it.title.clone()).collect::<Vec<_>>();
    let parts = task.parts();
    assert_eq!(titles(&parts), ["Subtask 20", "Subtask 22"]);
    assert_eq!(titles(&parts[0].subtasks), ["Subtask 21"]);
    assert!(parts[0].done && !parts[1].done);
    let demands = task.demands();
    let done: Vec<_> = demands.iter().map(|it| (it.kind, it.done)).collect();
    assert_eq!(
        done,
        [
            (DemandKind::Checklist, true),
            (DemandKind::Checklist, false),
            (DemandKind::Photos, false),
            (DemandKind::Criterion, false),
            (DemandKind::Criterion, false),
            (DemandKind::Confirmation, false),
            (DemandKind::Confirmation, false),
        ]
    );
    assert_eq!((&demands[2].wanted, &demands[2].found), (&Some(text("2")), &Some(text("1"))));
    assert_eq!(demands[3].found, Some(text("2")));
    let far = Progress { subtasks: 3, subtasks_done: 1, requirements: 7, requirements_done: 1 };
    assert_eq!(task.progress(), far);
}
