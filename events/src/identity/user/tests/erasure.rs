//! Forgetting a user for good.

use super::*;

fn as_workers() -> Context {
    let id = "workers".into();
    let actor = Actor {
        kind: ActorKind::Service,
        id,
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    Context { actor, ..context() }
}

#[test]
fn erases_a_deactivated_user_whose_handle_is_repeated() {
    let past = [registered(), deactivated()];
    given::<User>(past.clone()).when(erase("Anna")).then([erased()]);
    given::<User>(past.clone()).when(erase("anna")).refused(Rejection::ConfirmationWrong);
    given::<User>([registered()]).when(erase("Anna")).refused(Rejection::Active);
    let oneself = Erase { user_id: id(1), handle: Some("Anna".into()) };
    given::<User>(past).when(Command::Erase(oneself)).refused(Rejection::ErasesSelf);
    let again = Command::Erase(Erase { user_id: id(8), handle: None });
    for past in [vec![registered()], vec![registered(), deactivated()]] {
        given::<User>(past).context(as_workers()).when(again.clone()).then([erased()]);
    }
}

#[test]
fn an_erased_user_is_forgotten_and_stays_so() {
    let past = || [registered(), deactivated(), erased()];
    let mut user = User::default();
    for event in &past() {
        user.evolve(event);
    }
    assert_eq!((user.handle.as_str(), user.email.as_ref()), (ERASED, None));
    assert!(!serde_json::to_string(&user).unwrap().contains("Anna"));
    given::<User>(past()).when(erase("Anna")).then([]);
    given::<User>(past()).when(failure()).then([]);
    for command in [
        Command::Register(register()),
        Command::Rename(Rename { display_name: "x".into() }),
        Command::SetPassword(SetPassword { secret_id: id(7) }),
        Command::RecordLogin,
        Command::Unlock,
        Command::Reactivate,
        email("a@b.c"),
    ] {
        given::<User>(past()).when(command).refused(Rejection::Erased);
    }
}

#[test]
fn the_handle_and_address_of_an_erased_user_are_free_again() {
    let freed = [Claim::release(EMAIL, "anna@example.org"), Claim::release(HANDLE, "anna")];
    assert_eq!(erased().claims("x"), freed);
}
