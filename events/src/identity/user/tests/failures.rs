//! Sign-ins that fail, the lock that follows, and its end.

use super::*;

/// A user who failed to sign in `count` times, one minute apart from noon on.
fn failing(count: i64) -> User {
    let mut user = User::default();
    user.evolve(&registered());
    for minute in 0..count {
        for event in user.decide(failure(), &Facts::default(), &after(minute)).unwrap() {
            user.evolve(&event);
        }
    }
    user
}

#[test]
fn names_the_secret_that_holds_the_password() {
    let set = |number| Command::SetPassword(SetPassword { secret_id: id(number) });
    let replaced = |number| Event::PasswordReplaced { secret_id: id(number) };
    given::<User>([registered()]).when(set(7)).then([replaced(7)]);
    given::<User>([registered(), replaced(7)])
        .when(set(8))
        .then([replaced(8), ended(RevocationReason::Password, None)]);
    given::<User>([registered(), replaced(7)]).when(set(7)).then([]);
}

#[test]
fn counts_failed_sign_ins_of_the_last_quarter_of_an_hour() {
    let stored = Some("192.0.2.1".into());
    given::<User>([registered()])
        .when(Command::RecordLoginFailure(RecordLoginFailure { ip: Some([192, 0, 2, 1].into()) }))
        .then([Event::LoginFailed { count: 1, failed_at: at(NOON), ip: stored }]);
    let past = [registered(), failed(1, "2026-01-01T11:45:00Z"), failed(2, "2026-01-01T11:45:01Z")];
    given::<User>(past).when(failure()).then([failed(2, NOON)]);
}

#[test]
fn locks_at_the_tenth_failure_within_a_quarter_of_an_hour() {
    let user = failing(9);
    assert_eq!(user.locked(minutes_later(9)), None);
    let tenth = user.decide(failure(), &Facts::default(), &after(9)).unwrap();
    assert_eq!(
        tenth,
        [
            Event::LoginFailed { count: 10, failed_at: minutes_later(9), ip: None },
            Event::Locked { until: minutes_later(9 + LOCK_MINUTES) },
        ]
    );
    let spread =
        user.decide(failure(), &Facts::default(), &after(FAILURES_WINDOW_MINUTES)).unwrap();
    assert_eq!(spread, [Event::LoginFailed { count: 9, failed_at: minutes_later(15), ip: None }]);
}

#[test]
fn writes_nothing_while_locked_and_counts_afresh_afterwards() {
    let user = failing(10);
    assert_eq!(user.decide(failure(), &Facts::default(), &after(20)), Ok(vec![]));
    let fresh = Event::LoginFailed { count: 1, failed_at: minutes_later(24), ip: None };
    assert_eq!(user.decide(failure(), &Facts::default(), &after(24)), Ok(vec![fresh]));
}

#[test]
fn keeps_a_locked_user_out_until_the_lock_ends() {
    let user = failing(10);
    let until = minutes_later(24);
    let login = |minutes| user.decide(Command::RecordLogin, &Facts::default(), &after(minutes));
    assert_eq!(login(23), Err(Rejection::Locked(until)));
    assert_eq!(login(24), Ok(vec![]));
    assert_eq!(user.may_sign_in(minutes_later(23)), Err(Rejection::Locked(until)));
    assert_eq!(user.may_sign_in(until), Ok(()));
}

#[test]
fn forgets_failures_when_the_user_signs_in() {
    given::<User>([registered()]).when(Command::RecordLogin).then([]);
    let past = || [registered(), failed(1, "2026-01-01T11:59:00Z")];
    given::<User>(past()).when(Command::RecordLogin).then([Event::LoginFailuresCleared]);
    given::<User>(past().into_iter().chain([Event::LoginFailuresCleared]))
        .when(failure())
        .then([failed(1, NOON)]);
}

#[test]
fn unlocks_a_locked_or_failing_user() {
    assert_eq!(
        failing(10).decide(Command::Unlock, &Facts::default(), &after(10)),
        Ok(vec![Event::Unlocked])
    );
    assert_eq!(
        failing(3).decide(Command::Unlock, &Facts::default(), &after(10)),
        Ok(vec![Event::Unlocked])
    );
    assert_eq!(failing(10).decide(Command::Unlock, &Facts::default(), &after(60)), Ok(vec![]));
    given::<User>([registered()]).when(Command::Unlock).then([]);
    let mut user = failing(10);
    user.evolve(&Event::Unlocked);
    assert_eq!(user.may_sign_in(minutes_later(10)), Ok(()));
}
