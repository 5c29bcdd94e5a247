//! Taking a role away.

use super::*;

#[test]
fn removes_a_role_with_its_reason() {
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(by_manager())
        .when(Command::RemoveRole {
            role_id: role(CLERK),
            unit_id: None,
            reason: Some(" moved to sales ".to_owned()),
        })
        .then([Event::RoleRemoved {
            role_id: role(CLERK),
            unit_id: None,
            reason: Some("moved to sales".to_owned()),
        }]);
}

#[test]
fn refuses_to_remove_what_is_not_assigned_there() {
    let facts = Facts { unit_path: vec![north()], ..by_manager() };
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(facts)
        .when(Command::RemoveRole { role_id: role(CLERK), unit_id: Some(north()), reason: None })
        .refused(Rejection::RoleNotAssigned { role_id: role(CLERK) });
}

#[test]
fn refuses_a_reason_that_is_no_text() {
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(by_manager())
        .when(Command::RemoveRole {
            role_id: role(CLERK),
            unit_id: None,
            reason: Some("x".repeat(501)),
        })
        .refused(Rejection::RemovalReasonInvalid(text::Fault::TooLong(500)));
}

#[test]
fn nobody_takes_a_role_that_stands_as_high_as_they_do_except_their_own() {
    given::<UserAccess>([assigned(MANAGER, None, None)])
        .facts(by_manager())
        .when(remove(MANAGER))
        .refused(Rejection::AssignmentExceedsLevel { level: 500 });
    given::<UserAccess>([assigned(MANAGER, None, None)])
        .facts(Facts { user_id: id(1), ..by_manager() })
        .when(remove(MANAGER))
        .then([removed(MANAGER)]);
}

#[test]
fn anybody_takes_a_role_that_is_gone() {
    given::<UserAccess>([assigned(999, None, None)])
        .facts(Facts { actor_access: Arc::default(), ..by_manager() })
        .when(remove(999))
        .then([removed(999)]);
}
