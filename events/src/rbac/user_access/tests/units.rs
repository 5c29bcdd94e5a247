//! Access to units, in its three levels.

use super::*;

fn open(level: Level, expires_at: Option<Timestamp>) -> Command {
    Command::GrantUnitAccess(UnitAccess { unit_id: north(), level, expires_at })
}

fn opened(level: Level, expires_at: Option<Timestamp>) -> Event {
    Event::UnitAccessGranted { unit_id: north(), level, expires_at }
}

fn close() -> Command {
    Command::RevokeUnitAccess { unit_id: north(), reason: None }
}

#[test]
fn gives_access_to_a_unit_instead_of_what_was_there() {
    given::<UserAccess>([])
        .facts(in_north())
        .when(open(Level::Read, None))
        .then([opened(Level::Read, None)]);
    let until = Some(at("2026-02-01T00:00:00Z"));
    given::<UserAccess>([opened(Level::Read, None)])
        .facts(in_north())
        .when(open(Level::Write, until))
        .then([opened(Level::Write, until)]);
    given::<UserAccess>([opened(Level::Read, until)])
        .facts(in_north())
        .when(open(Level::Read, until))
        .then([]);
    assert_eq!(access(&[opened(Level::Read, None), opened(Level::Write, until)]).units().len(), 1);
}

#[test]
fn gives_no_access_that_means_nothing_or_that_the_giver_does_not_have() {
    let refused = |facts, command, rejection| {
        given::<UserAccess>([]).facts(facts).when(command).refused(rejection);
    };
    let undefined = Rejection::UnitAccessUndefined { code: "unit-admin" };
    refused(in_north(), open(Level::Admin, None), undefined);
    let elsewhere = Facts { unit_path: vec![], ..in_north() };
    let unknown = Rejection::AssignmentUnitUnknown { unit_id: north() };
    refused(elsewhere, open(Level::Read, None), unknown);
    let nobody = Facts { user_exists: false, ..in_north() };
    refused(nobody, open(Level::Read, None), Rejection::AssignmentUserUnknown);
    let yesterday = at("2025-12-31T12:00:00Z");
    let past = Rejection::AssignmentExpiryPast { expires_at: yesterday };
    refused(in_north(), open(Level::Read, Some(yesterday)), past);
    let reader = Facts { actor_access: access(&[assigned(READER, None, None)]), ..in_north() };
    let lacks =
        Rejection::AssignmentExceedsPermissions { permission: "exports.files:request".into() };
    refused(reader, open(Level::Write, None), lacks);
}

#[test]
fn access_to_a_unit_counts_there_and_below_until_its_end_as_its_role_says() {
    let policy = with_levels();
    let holds = access(&[opened(Level::Read, Some(at("2026-02-01T00:00:00Z")))]);
    let may = |path: &[UnitId], now: &str, permission: &str| {
        let (policy, access, now) = (&policy, &*holds, at(now));
        let holder = Holder { policy, user_id: id(2), access, unit_path: path, now };
        assert_eq!(holder.effective().allows(permission), holder.explain(permission).is_allowed());
        holder.effective().allows(permission)
    };
    let (before, after) = ("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z");
    assert!(may(&[north()], before, "audit.trail:read"));
    assert!(may(&[id(201), north()], before, "audit.trail:read"));
    assert!(!may(&[], before, "audit.trail:read"));
    assert!(!may(&[id(202)], before, "audit.trail:read"));
    assert!(!may(&[north()], before, "exports.files:request"));
    assert!(!may(&[north()], after, "audit.trail:read"));
}

#[test]
fn takes_access_to_a_unit_and_records_its_end_once() {
    given::<UserAccess>([opened(Level::Read, None)])
        .facts(in_north())
        .when(close())
        .then([Event::UnitAccessRevoked { unit_id: north(), reason: None }]);
    let unknown = Rejection::UnitAccessUnknown { unit_id: north() };
    given::<UserAccess>([]).facts(in_north()).when(close()).refused(unknown);
    let expire = || Command::ExpireUnitAccess { unit_id: north() };
    let yesterday = Some(at("2025-12-31T12:00:00Z"));
    given::<UserAccess>([opened(Level::Read, yesterday)])
        .when(expire())
        .then([Event::UnitAccessExpired { unit_id: north() }]);
    given::<UserAccess>([]).when(expire()).then([]);
    given::<UserAccess>([opened(Level::Read, None)])
        .when(expire())
        .refused(Rejection::UnitAccessNotDue { unit_id: north() });
}
