//! When what somebody holds comes to its end.

use super::*;

#[test]
fn extends_and_shortens_an_assignment() {
    let until_tomorrow = || [assigned(CLERK, None, Some(at(TOMORROW)))];
    let extended =
        |expires_at| Event::RoleExtended { role_id: role(CLERK), unit_id: None, expires_at };
    given::<UserAccess>(until_tomorrow())
        .facts(by_manager())
        .when(end_at(CLERK, Some(at(LATER))))
        .then([extended(Some(at(LATER)))]);
    given::<UserAccess>(until_tomorrow())
        .facts(by_manager())
        .when(end_at(CLERK, None))
        .then([extended(None)]);
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(by_manager())
        .when(end_at(CLERK, Some(at(LATER))))
        .then([Event::RoleShortened {
            role_id: role(CLERK),
            unit_id: None,
            expires_at: at(LATER),
        }]);
}

#[test]
fn the_same_end_again_changes_nothing() {
    for end in [None, Some(at(TOMORROW))] {
        given::<UserAccess>([assigned(CLERK, None, end)])
            .facts(by_manager())
            .when(end_at(CLERK, end))
            .then([]);
    }
}

#[test]
fn refuses_to_move_an_end_into_the_past_or_after_it_came() {
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(by_manager())
        .when(end_at(CLERK, Some(at(YESTERDAY))))
        .refused(Rejection::AssignmentExpiryPast { expires_at: at(YESTERDAY) });
    given::<UserAccess>([assigned(CLERK, None, Some(at(YESTERDAY)))])
        .facts(by_manager())
        .when(end_at(CLERK, None))
        .refused(Rejection::AssignmentExpired { role_id: role(CLERK) });
    given::<UserAccess>([])
        .facts(by_manager())
        .when(end_at(CLERK, None))
        .refused(Rejection::RoleNotAssigned { role_id: role(CLERK) });
}

#[test]
fn to_extend_is_to_give_and_to_shorten_is_to_take() {
    given::<UserAccess>([assigned(WIDE, None, Some(at(TOMORROW)))])
        .facts(by_manager())
        .when(end_at(WIDE, None))
        .refused(Rejection::AssignmentExceedsPermissions { permission: "exports.*:*".to_owned() });
    given::<UserAccess>([assigned(WIDE, None, None)])
        .facts(by_manager())
        .when(end_at(WIDE, Some(at(TOMORROW))))
        .then([Event::RoleShortened {
            role_id: role(WIDE),
            unit_id: None,
            expires_at: at(TOMORROW),
        }]);
    given::<UserAccess>([assigned(MANAGER, None, None)])
        .facts(by_manager())
        .when(end_at(MANAGER, Some(at(TOMORROW))))
        .refused(Rejection::AssignmentExceedsLevel { level: 500 });
}

#[test]
fn a_timer_records_what_has_ended_once_and_not_before() {
    let workers = || acting(ActorKind::Service, "workers", None);
    given::<UserAccess>([assigned(CLERK, None, Some(context().now))])
        .facts(by_manager())
        .context(workers())
        .when(expire(CLERK))
        .then([expired(CLERK)]);
    given::<UserAccess>([assigned(CLERK, None, Some(at(YESTERDAY))), expired(CLERK)])
        .facts(by_manager())
        .context(workers())
        .when(expire(CLERK))
        .then([]);
    for end in [None, Some(at(TOMORROW))] {
        given::<UserAccess>([assigned(CLERK, None, end)])
            .facts(by_manager())
            .context(workers())
            .when(expire(CLERK))
            .refused(Rejection::AssignmentNotDue { role_id: role(CLERK) });
    }
}

#[test]
fn what_is_left_of_a_deleted_role_is_stripped_once() {
    let strip = |number| Command::StripRole { role_id: role(number), unit_id: Some(north()) };
    let reason = Some("the role was deleted".to_owned());
    given::<UserAccess>([assigned(7, Some(north()), None)])
        .facts(in_north())
        .when(strip(7))
        .then([Event::RoleRemoved { role_id: role(7), unit_id: Some(north()), reason }]);
    given::<UserAccess>([]).facts(in_north()).when(strip(7)).then([]);
    given::<UserAccess>([assigned(READER, Some(north()), None)])
        .facts(in_north())
        .when(strip(READER))
        .refused(Rejection::AssignmentRoleStands { role_id: role(READER) });
}

#[test]
fn an_end_is_announced_once_when_it_is_near_and_again_when_it_was_moved() {
    let announce = || Command::AnnounceRoleEnd { role_id: role(CLERK), unit_id: None };
    let announced =
        |end| Event::RoleEndAnnounced { role_id: role(CLERK), unit_id: None, expires_at: at(end) };
    let until = |end| assigned(CLERK, None, Some(at(end)));
    let moved_to = |end| {
        let (role_id, unit_id, expires_at) = (role(CLERK), None, Some(at(end)));
        Event::RoleExtended { role_id, unit_id, expires_at }
    };
    let after = |events: Vec<Event>| given::<UserAccess>(events).facts(by_manager());
    after(vec![until(TOMORROW)]).when(announce()).then([announced(TOMORROW)]);
    after(vec![until(TOMORROW), announced(TOMORROW)]).when(announce()).then([]);
    let week = "2026-01-08T12:00:00Z";
    after(vec![until(week)]).when(announce()).then([announced(week)]);
    after(vec![until(TOMORROW), announced(TOMORROW), moved_to(week)])
        .when(announce())
        .then([announced(week)]);
    after(vec![until("2026-01-08T12:00:00.000001Z")])
        .when(announce())
        .refused(Rejection::AssignmentEndsLater { role_id: role(CLERK) });
    for nothing_to_tell in [
        vec![],
        vec![until(YESTERDAY)],
        vec![assigned(CLERK, None, None)],
        vec![until(TOMORROW), removed(CLERK)],
    ] {
        after(nothing_to_tell).when(announce()).then([]);
    }
    after(vec![until(TOMORROW), announced(TOMORROW), removed(CLERK), until(TOMORROW)])
        .when(announce())
        .then([announced(TOMORROW)]);
}
