//! The tree of units.

use super::*;

#[test]
fn adds_units_below_units() {
    given::<Organization>([created()]).when(Command::AddUnit(add(1, None))).then([added(1, None)]);
    given::<Organization>(chain(1))
        .when(Command::AddUnit(add(2, Some(1))))
        .then([added(2, Some(1))]);
}

#[test]
fn gives_a_unit_its_own_time_zone_when_it_is_one() {
    let at =
        |zone: &str| Command::AddUnit(AddUnit { time_zone: Some(zone.into()), ..add(1, None) });
    given::<Organization>([created()]).when(at("Nowhere")).refused(Rejection::TimeZoneUnknown);
    let events = given::<Organization>([created()]).when(at("asia/tokyo")).result().unwrap();
    let Event::UnitAdded { time_zone, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(time_zone.as_deref(), Some("Asia/Tokyo"));
}

#[test]
fn refuses_a_unit_that_exists() {
    let add = AddUnit { code: "other".into(), ..add(1, None) };
    given::<Organization>(chain(1)).when(Command::AddUnit(add)).refused(Rejection::UnitExists);
}

#[test]
fn uses_a_code_once_whatever_its_case_even_after_closing() {
    let again = || Command::AddUnit(AddUnit { code: " u1".into(), ..add(9, None) });
    given::<Organization>(chain(1)).when(again()).refused(Rejection::UnitCodeTaken);
    given::<Organization>([created(), added(1, None), closed(1)])
        .when(again())
        .refused(Rejection::UnitCodeTaken);
}

#[test]
fn refuses_unusable_codes_and_names_of_units() {
    let coded = |code: &str| Command::AddUnit(AddUnit { code: code.into(), ..add(1, None) });
    let refused = |command, rejection| {
        given::<Organization>([created()]).when(command).refused(rejection);
    };
    refused(coded(""), Rejection::UnitCodeInvalid(Fault::Empty));
    refused(coded("a\tb"), Rejection::UnitCodeInvalid(Fault::Control));
    refused(coded(&"x".repeat(33)), Rejection::UnitCodeInvalid(Fault::TooLong(CODE_MAX_CHARS)));
    let unnamed = Command::AddUnit(AddUnit { name: String::new(), ..add(1, None) });
    refused(unnamed, Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn refuses_a_parent_that_is_unknown_or_closed() {
    let below = |parent| Command::AddUnit(add(9, Some(parent)));
    given::<Organization>(chain(1)).when(below(5)).refused(Rejection::ParentUnknown);
    let past = || [created(), added(1, None), closed(1), added(2, None)];
    given::<Organization>(past()).when(below(1)).refused(Rejection::ParentClosed);
    given::<Organization>(past()).when(move_to(2, Some(1))).refused(Rejection::ParentClosed);
    given::<Organization>(past()).when(move_to(2, Some(5))).refused(Rejection::ParentUnknown);
}

#[test]
fn nests_units_to_a_limit() {
    let deepest = TREE_MAX_LEVELS as u128;
    let below = |parent| Command::AddUnit(add(99, Some(parent)));
    given::<Organization>(chain(TREE_MAX_LEVELS))
        .when(below(deepest))
        .refused(Rejection::TreeTooDeep);
    assert!(
        given::<Organization>(chain(TREE_MAX_LEVELS)).when(below(deepest - 1)).result().is_ok()
    );

    let mut past = chain(TREE_MAX_LEVELS - 1);
    past.extend([added(50, None), added(51, Some(50))]);
    let to = |parent| move_to(50, Some(parent));
    given::<Organization>(past.clone()).when(to(deepest - 1)).refused(Rejection::TreeTooDeep);
    assert!(given::<Organization>(past).when(to(deepest - 2)).result().is_ok());
}

#[test]
fn holds_units_to_a_limit() {
    let mut organization = Organization::default();
    organization.evolve(&created());
    for number in 1..=TREE_MAX_UNITS as u128 {
        organization.evolve(&added(number, None));
    }
    let full = organization.decide(Command::AddUnit(add(0, None)), &Facts::default(), &context());
    assert_eq!(full, Err(Rejection::TreeFull));
}

#[test]
fn moves_a_unit_with_what_is_part_of_it() {
    let past = [created(), added(1, None), added(2, None), added(3, Some(2))];
    given::<Organization>(past.clone())
        .when(move_to(2, Some(1)))
        .then([Event::UnitMoved { unit_id: unit(2), parent_id: Some(unit(1)) }]);
    given::<Organization>(past.clone())
        .when(move_to(3, None))
        .then([Event::UnitMoved { unit_id: unit(3), parent_id: None }]);
    given::<Organization>(past.clone()).when(move_to(3, Some(2))).then([]);
    given::<Organization>(past).when(move_to(9, None)).refused(Rejection::UnitUnknown);
}

#[test]
fn keeps_the_tree_acyclic() {
    given::<Organization>(chain(3)).when(move_to(1, Some(1))).refused(Rejection::UnitCycle);
    given::<Organization>(chain(3)).when(move_to(1, Some(3))).refused(Rejection::UnitCycle);
}

#[test]
fn renames_units() {
    let rename = |number, name: &str| {
        Command::RenameUnit(RenameUnit { unit_id: unit(number), name: name.into() })
    };
    given::<Organization>(chain(1))
        .when(rename(1, "Bern"))
        .then([Event::UnitRenamed { unit_id: unit(1), name: "Bern".into() }]);
    given::<Organization>(chain(1)).when(rename(1, "Werk 1")).then([]);
    given::<Organization>(chain(1)).when(rename(2, "Bern")).refused(Rejection::UnitUnknown);
    given::<Organization>(chain(1))
        .when(rename(1, ""))
        .refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn closes_a_unit_when_its_parts_are_closed() {
    given::<Organization>(chain(2)).when(close(1)).refused(Rejection::UnitHasOpenParts);
    given::<Organization>(chain(2)).when(close(2)).then([closed(2)]);
    let past = || chain(2).into_iter().chain([closed(2)]);
    given::<Organization>(past()).when(close(1)).then([closed(1)]);
    given::<Organization>(past()).when(close(2)).then([]);
    given::<Organization>(past()).when(close(9)).refused(Rejection::UnitUnknown);
}

#[test]
fn leaves_a_closed_unit_as_it_is() {
    let past = || [created(), added(1, None), added(2, None), closed(2)];
    given::<Organization>(past()).when(move_to(2, Some(1))).refused(Rejection::UnitClosed);
    let rename = Command::RenameUnit(RenameUnit { unit_id: unit(2), name: "x".into() });
    given::<Organization>(past()).when(rename).refused(Rejection::UnitClosed);
}

#[test]
fn knows_the_path_of_a_unit() {
    let mut organization = Organization::default();
    for event in chain(3) {
        organization.evolve(&event);
    }
    assert_eq!(organization.path(unit(3)), [unit(3), unit(2), unit(1)]);
    assert_eq!(organization.path(unit(1)), [unit(1)]);
    assert_eq!(organization.path(unit(9)), []);
    organization.evolve(&Event::UnitMoved { unit_id: unit(3), parent_id: None });
    assert_eq!(organization.path(unit(3)), [unit(3)]);
}

fn any_unit() -> impl Strategy<Value = u128> {
    1..24_u128
}

fn any_parent() -> impl Strategy<Value = Option<u128>> {
    proptest::option::weighted(0.9, any_unit())
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (any_unit(), any_parent()).prop_map(|(unit, parent)| Command::AddUnit(add(unit, parent))),
        4 => (any_unit(), any_parent()).prop_map(|(unit, parent)| move_to(unit, parent)),
        1 => any_unit().prop_map(close),
    ]
}

proptest! {
    #[test]
    fn stays_a_tree_whatever_is_asked(commands in prop::collection::vec(any_command(), 0..150)) {
        let mut organization = Organization::default();
        organization.evolve(&created());
        for command in commands {
            for event in organization.decide(command, &Facts::default(), &context()).unwrap_or_default() {
                organization.evolve(&event);
            }
        }
        for (id, unit) in &organization.units {
            let path = organization.path(*id);
            prop_assert!(path.len() <= TREE_MAX_LEVELS);
            prop_assert_eq!(organization.units[path.last().unwrap()].parent_id, None);
            let parent = unit.parent_id.map(|parent| &organization.units[&parent]);
            prop_assert!(unit.closed || parent.is_none_or(|parent| !parent.closed));
        }
    }
}
