//! What issuers call a user.

use super::*;

fn linked(subject: u128) -> Event {
    Event::IdentityLinked { issuer_id: id(9), subject_sha256: digest(subject) }
}

fn unlinked(subject: u128) -> Event {
    Event::IdentityUnlinked { issuer_id: id(9), subject_sha256: digest(subject) }
}

fn unlink() -> Command {
    Command::UnlinkIdentity(UnlinkIdentity { issuer_id: id(9) })
}

/// The installation at a sign-in.
fn signing_in() -> Context {
    let actor = Actor {
        kind: ActorKind::System,
        id: "sign-in".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    Context { actor, ..context() }
}

#[test]
fn an_address_alone_links_an_identity_only_where_the_user_has_confirmed_it() {
    let at_sign_in = |past: Vec<Event>| given::<User>(past).context(signing_in());
    let confirmed = || vec![registered(), Event::EmailConfirmed];
    let by = |email: &str| link(2, Some(email));
    at_sign_in(confirmed()).when(by("anna@example.ORG")).then([linked(2)]);
    let unconfirmed = Rejection::EmailUnconfirmed;
    at_sign_in(vec![registered()]).when(by("anna@example.org")).refused(unconfirmed.clone());
    at_sign_in(confirmed()).when(by("anna@example.net")).refused(unconfirmed.clone());
    let elsewhere = Event::EmailReplaced { previous: None, email: Some("b@example.org".into()) };
    let moved = confirmed().into_iter().chain([elsewhere]).collect();
    at_sign_in(moved).when(by("b@example.org")).refused(unconfirmed);
}

#[test]
fn a_used_address_that_somebody_else_has_now_does_not_hand_over_the_account() {
    let past = [registered(), Event::EmailConfirmed, linked(2)];
    let given = || given::<User>(past.clone()).context(signing_in());
    given().when(link(2, Some("anna@example.org"))).then([]);
    given().when(link(3, Some("anna@example.org"))).refused(Rejection::IdentityDiffers);
}

#[test]
fn an_identity_is_one_users_and_given_back_when_it_is_unlinked_or_they_are_erased() {
    let key = format!("{}:{}", id::<crate::ids::IssuerId>(9), digest(2));
    assert_eq!(linked(2).claims("u"), [Claim::take(IDENTITY, key.clone())]);
    assert_eq!(unlinked(2).claims("u"), [Claim::release(IDENTITY, key)]);
    let past = [registered(), linked(2), deactivated()];
    let erase = Erase { user_id: id(4), handle: Some("Anna".into()) };
    let events = given::<User>(past).when(Command::Erase(erase)).result().unwrap();
    assert_eq!(events[0], unlinked(2));
    assert!(matches!(events[1], Event::Erased { .. }));
}

#[test]
fn unlinking_ends_every_session_but_the_one_it_is_done_in() {
    let own = Facts { user_id: id(1), ..Facts::default() };
    let mut context = context();
    context.actor.session_id = Some(id(5));
    let past = || given::<User>([registered(), linked(2)]).facts(own.clone());
    let kept = |except| ended(RevocationReason::Unlinked, except);
    past().context(context.clone()).when(unlink()).then([unlinked(2), kept(Some(id(5)))]);
    let others = given::<User>([registered(), linked(2)]).context(signing_in());
    others.when(unlink()).then([unlinked(2), kept(None)]);
    given::<User>([registered()]).facts(own).when(unlink()).refused(Rejection::IdentityUnknown);
}

#[test]
fn identities_are_few_and_of_active_users() {
    let many = (0..8)
        .map(|nth| Event::IdentityLinked { issuer_id: id(20 + nth), subject_sha256: digest(nth) });
    given::<User>([registered()].into_iter().chain(many))
        .context(signing_in())
        .when(link(2, None))
        .refused(Rejection::IdentitiesTooMany);
    for command in [link(2, None), unlink()] {
        let gone = given::<User>([registered(), linked(2), deactivated()]);
        gone.when(command.clone()).refused(Rejection::Deactivated);
        given::<User>([]).when(command).refused(Rejection::Unknown);
    }
}
