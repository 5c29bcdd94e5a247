//! Roles by template.

use super::*;
use crate::ids::UnitId;
use crate::rbac::name::{self, Form};
use crate::rbac::template::Template;

fn instantiate(template: Template) -> Command {
    Command::InstantiateTemplate { template, unit_id: None }
}

fn by_owner(past: impl IntoIterator<Item = Event>, template: Template) -> Vec<Event> {
    let facts = Facts { user_exists: true, ..Facts::default() };
    folded(past).decide(instantiate(template), &facts, &owner()).unwrap()
}

fn owned() -> Vec<Event> {
    begun().into_iter().chain([holds(9, OWNER)]).collect()
}

#[test]
fn every_template_is_well_formed_and_makes_its_ladder_once() {
    for template in Template::ALL {
        let events = by_owner(owned(), *template);
        let Some(Event::TemplateInstantiated { role_ids, .. }) = events.first() else {
            panic!("{template:?} does not say that it was instantiated")
        };
        let policy = folded(owned().into_iter().chain(events.clone()));
        let existing = template.roles().iter().filter(|role| role.code == "owner").count();
        assert_eq!(role_ids.len() + existing, template.roles().len());
        for role in template.roles() {
            let made = policy.role(policy.role_with_code(role.code).unwrap()).unwrap();
            for junior in role.juniors {
                let junior = policy.role_with_code(junior).unwrap();
                assert!(made.juniors.contains(&junior), "{template:?}: {}", role.code);
            }
        }
        for permission in template.permissions() {
            assert_eq!(name::form(permission.name), Some(Form::Exact), "{}", permission.name);
            assert!(policy.knows(permission.name));
        }
        let again = owned().into_iter().chain(events);
        assert_eq!(by_owner(again, *template), [], "{template:?} changes something again");
    }
}

#[test]
fn the_booking_template_has_the_five_roles_of_old() {
    let policy = folded(owned().into_iter().chain(by_owner(owned(), Template::Booking)));
    for code in ["owner", "admin", "provider", "client", "support"] {
        assert!(policy.role_with_code(code).is_some(), "{code}");
    }
}

#[test]
fn templates_stand_beside_each_other_and_keep_what_is_there() {
    let mut past = owned();
    past.push(Event::RoleCreated(RoleCreated { code: text("admin"), ..created(7, "Boss", 800) }));
    for template in Template::ALL {
        let events = by_owner(past.clone(), *template);
        past.extend(events);
    }
    let policy = folded(past);
    assert_eq!(policy.role_with_code("admin"), Some(role(7)));
    assert_eq!(policy.role(role(7)).unwrap().facts.name, "Boss");
    assert!(policy.role(role(7)).unwrap().grants.is_empty());
    assert!(policy.role_with_code("technician").is_some());
}

#[test]
fn a_role_that_was_deleted_is_made_anew_under_another_id() {
    let events = by_owner(owned(), Template::Booking);
    let past: Vec<Event> = owned().into_iter().chain(events).collect();
    let client = folded(past.clone()).role_with_code("client").unwrap();
    let past = past.into_iter().chain([Event::RoleDeleted { role_id: client }]);
    let again = by_owner(past, Template::Booking);
    let Some(Event::TemplateInstantiated { role_ids, .. }) = again.first() else { panic!() };
    assert_eq!(role_ids.len(), 1);
    assert_ne!(role_ids[0], client);
}

#[test]
fn nobody_makes_by_a_template_what_they_could_not_make_alone() {
    let policy = folded(ladder());
    let refused = policy.decide(instantiate(Template::School), &by_manager(), &context());
    assert!(matches!(
        refused,
        Err(Rejection::EscalatesLevel { .. } | Rejection::EscalatesPermissions { .. })
    ));
}

#[test]
fn a_template_makes_its_ladder_once_more_in_a_unit_where_alone_it_counts() {
    let unit = |number| id::<UnitId>(number);
    let in_unit = |past: &[Event], number| {
        let facts = Facts { user_exists: true, unit_path: vec![unit(number)], ..Facts::default() };
        let wanted = Command::InstantiateTemplate {
            template: Template::School,
            unit_id: Some(unit(number)),
        };
        folded(past.to_vec()).decide(wanted, &facts, &owner())
    };
    let mut past: Vec<Event> =
        owned().into_iter().chain(by_owner(owned(), Template::School)).collect();
    for number in [200, 201] {
        let events = in_unit(&past, number).unwrap();
        let Some(Event::TemplateInstantiated { role_ids, unit_id, .. }) = events.first() else {
            panic!("{events:?}")
        };
        assert_eq!(*unit_id, Some(unit(number)));
        let policy = folded(past.clone().into_iter().chain(events.clone()));
        assert!(!role_ids.is_empty());
        for role_id in role_ids {
            let made = policy.role(*role_id).unwrap();
            assert_eq!(made.facts.unit_id, Some(unit(number)));
            let juniors = made.juniors.iter().map(|id| policy.role(*id).unwrap().facts.unit_id);
            assert!(juniors.into_iter().all(|of| of == Some(unit(number))), "{}", made.facts.code);
        }
        let teacher = policy.role_with_name(Some(unit(number)), "Teacher").unwrap();
        assert!(policy.role(teacher).unwrap().facts.code.starts_with("teacher-"));
        past.extend(events);
        assert_eq!(in_unit(&past, number), Ok(vec![]), "again it changes nothing");
    }
    let elsewhere = Facts { user_exists: true, ..Facts::default() };
    let wanted =
        Command::InstantiateTemplate { template: Template::School, unit_id: Some(unit(9)) };
    let refused = folded(past).decide(wanted, &elsewhere, &owner());
    assert_eq!(refused, Err(Rejection::RoleUnitUnknown { unit_id: unit(9) }));
}
