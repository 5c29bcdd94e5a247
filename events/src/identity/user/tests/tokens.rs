//! What is done by a token from an e-mail, and which sessions end with it.

use super::*;

fn asking(request: u128) -> Facts {
    Facts { next_sha256: digest(request), ..Facts::default() }
}

fn forgotten(request: u128, minute: i64) -> Event {
    let expires_at = minutes_later(minute + TOKEN_MINUTES);
    Event::PasswordResetRequested { token_sha256: digest(request), expires_at }
}

fn reset(request: u128) -> Command {
    let presented_sha256 = digest(request);
    Command::ResetPassword(ResetPassword { presented_sha256, secret_id: id(8) })
}

#[test]
fn a_forgotten_password_is_asked_for_once_a_minute() {
    let ask = |past: Vec<Event>, minute| {
        let given = given::<User>([registered()].into_iter().chain(past)).facts(asking(2));
        given.context(after(minute)).when(Command::RequestPasswordReset)
    };
    ask(vec![], 0).then([forgotten(2, 0)]);
    ask(vec![forgotten(1, 0)], 0).then([]);
    ask(vec![forgotten(1, 0)], 1).then([forgotten(2, 1)]);
    ask(vec![deactivated()], 0).then([]);
    let gone = Event::EmailReplaced { previous: Some("Anna@Example.org".into()), email: None };
    ask(vec![gone], 0).then([]);
}

#[test]
fn a_token_sets_a_password_once_and_until_it_expires_and_ends_every_session() {
    let old = || Event::PasswordReplaced { secret_id: id(3) };
    let new = || Event::PasswordReplaced { secret_id: id(8) };
    let past = || vec![registered(), old(), forgotten(1, 0)];
    let all = || ended(RevocationReason::Password, None);
    let when = |past: Vec<Event>, minute: i64, request| {
        given::<User>(past).context(after(minute)).when(reset(request))
    };
    when(past(), 29, 1).then([Event::EmailConfirmed, new(), all()]);
    when(past(), 30, 1).refused(Rejection::TokenExpired);
    when(past(), 0, 2).refused(Rejection::TokenUnknown);
    let used = past().into_iter().chain([new(), all()]).collect();
    when(used, 1, 1).refused(Rejection::TokenUnknown);
    let again = past().into_iter().chain([forgotten(2, 2)]).collect();
    when(again, 3, 1).refused(Rejection::TokenUnknown);
    let locked = past().into_iter().chain([Event::Locked { until: minutes_later(15) }]).collect();
    when(locked, 1, 1).then([Event::Unlocked, Event::EmailConfirmed, new(), all()]);
    let moved = Event::EmailReplaced { previous: None, email: Some("new@example.org".into()) };
    when(past().into_iter().chain([moved]).collect(), 1, 1).refused(Rejection::TokenUnknown);
}

#[test]
fn a_new_address_counts_once_it_is_confirmed() {
    let wanted =
        |email: &str| Command::RequestEmailChange(RequestEmailChange { email: email.into() });
    let asked = || Event::EmailChangeRequested {
        email: "new@example.org".into(),
        token_sha256: digest(1),
        expires_at: minutes_later(TOKEN_MINUTES),
    };
    let given = |past: Vec<Event>, minute| {
        given::<User>([registered()].into_iter().chain(past))
            .facts(asking(1))
            .context(after(minute))
    };
    given(vec![], 0).when(wanted("new@example.org")).then([asked()]);
    given(vec![], 0).when(wanted("Anna@Example.org")).then([]);
    given(vec![], 0).when(wanted("nowhere")).refused(Rejection::EmailInvalid);
    let again = given(vec![asked()], 0).when(wanted("other@example.org"));
    again.refused(Rejection::RequestedJustNow);
    let confirm = |request| {
        Command::ConfirmEmailChange(ConfirmEmailChange { presented_sha256: digest(request) })
    };
    let replaced = || Event::EmailReplaced {
        previous: Some("Anna@Example.org".into()),
        email: Some("new@example.org".into()),
    };
    given(vec![asked()], 29).when(confirm(1)).then([replaced(), Event::EmailConfirmed]);
    given(vec![asked()], 30).when(confirm(1)).refused(Rejection::TokenExpired);
    given(vec![asked()], 1).when(confirm(2)).refused(Rejection::TokenUnknown);
    given(vec![asked(), replaced()], 2).when(confirm(1)).refused(Rejection::TokenUnknown);
}

#[test]
fn sessions_that_began_before_an_end_do_not_go_on_unless_spared() {
    let mut user = User::default();
    user.evolve(&registered());
    assert!(user.keeps(id(1), 0));
    user.evolve(&ended(RevocationReason::Password, Some(id(1))));
    assert!(user.keeps(id(1), 0) && !user.keeps(id(2), 0) && user.keeps(id(2), 1));
    user.evolve(&ended(RevocationReason::Logout, None));
    assert!(!user.keeps(id(1), 0) && !user.keeps(id(2), 1) && user.keeps(id(3), 2));
}

#[test]
fn a_forgotten_password_confirms_the_address_that_its_token_went_to() {
    let asked = Event::PasswordResetRequested {
        token_sha256: digest(1),
        expires_at: minutes_later(TOKEN_MINUTES),
    };
    let replaced = Event::PasswordReplaced { secret_id: id(8) };
    let past = given::<User>([registered(), asked.clone()]);
    past.when(reset(1)).then([Event::EmailConfirmed, replaced.clone()]);
    let past = given::<User>([registered(), Event::EmailConfirmed, asked]);
    past.when(reset(1)).then([replaced]);
}
