//! The rules of an API key, by example.

use std::sync::Arc;

use super::*;
use crate::aggregate::{Context, Decider};
use crate::identity::organization::{self, Organization, UnitKind};
use crate::identity::user;
use crate::ids::UnitId;
use crate::rbac::policy::{self, Policy, RoleCreated};
use crate::rbac::scope::Scope;
use crate::rbac::user_access::{self, UserAccess};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const CHIEF: u128 = 90;
const CLERK: u128 = 91;
const END: &str = "2026-06-01T00:00:00Z";

fn digest(number: usize) -> String {
    format!("{number:064x}")
}

fn policy() -> Arc<Policy> {
    let mut policy = Policy::default();
    for (role, level, grants) in [
        (CHIEF, 500, &["identity.*:*", "exports.files:request"][..]),
        (CLERK, 100, &["exports.files:request"][..]),
    ] {
        policy.evolve(&policy::Event::RoleCreated(RoleCreated {
            role_id: id(role),
            name: format!("role {role}"),
            code: format!("role-{role}"),
            description: None,
            level,
            unit_id: None,
            system: false,
            protected: false,
        }));
        for grant in grants {
            let (role_id, permission) = (id(role), (*grant).to_owned());
            policy.evolve(&policy::Event::PermissionGranted { role_id, permission });
        }
    }
    Arc::new(policy)
}

fn access(roles: &[u128], unit_id: Option<UnitId>) -> Arc<UserAccess> {
    let mut access = UserAccess::default();
    for role in roles {
        let role_id = id(*role);
        access.evolve(&user_access::Event::RoleAssigned { role_id, unit_id, expires_at: None });
    }
    Arc::new(access)
}

/// User 1 is the caller, with these roles; the key's owner is that user, with those.
fn facts(of_caller: &[u128], owner: u128, of_owner: &[u128]) -> Facts {
    let owner = user::Facts {
        user_id: id(owner),
        policy: policy(),
        access: access(of_owner, None),
        caller_access: access(of_caller, None),
        ..user::Facts::default()
    };
    Facts { owner, owner_is_active: true }
}

fn own() -> Facts {
    facts(&[CHIEF], 1, &[CHIEF])
}

fn wanted(scope: &[&str]) -> Create {
    Create {
        owner_id: id(1),
        name: " Stock import ".into(),
        scope: scope.iter().map(|&name| name.to_owned()).collect(),
        secret_sha256: digest(0),
        expires_at: at(END),
    }
}

fn created() -> Event {
    Event::Created {
        owner_id: id(1),
        name: "Stock import".into(),
        scope: vec!["exports.files:request".into(), "identity.*:read".into()],
        secret_sha256: digest(0),
        expires_at: at(END),
    }
}

fn create(scope: &[&str]) -> Command {
    Command::Create(wanted(scope))
}

fn rotate(secret: usize, overlap_minutes: u32) -> Command {
    let secret_sha256 = digest(secret);
    Command::Rotate(Rotate { secret_sha256, expires_at: None, overlap_minutes })
}

fn rotated(secret: usize, overlap_ends_at: Option<&str>) -> Event {
    let overlap_ends_at = overlap_ends_at.map(at);
    Event::Rotated { secret_sha256: digest(secret), expires_at: at(END), overlap_ends_at }
}

fn announced(end: &str) -> Event {
    Event::EndAnnounced { expires_at: at(end) }
}

fn revoked() -> Event {
    Event::Revoked { reason: RevocationReason::Leaked }
}

fn after(events: impl IntoIterator<Item = Event>) -> ApiKey {
    let mut key = ApiKey::default();
    events.into_iter().for_each(|event| key.evolve(&event));
    key
}

#[test]
fn samples_are_frozen() {
    frozen::<ApiKey>([
        created(),
        Event::Renamed { name: "Stock export".into() },
        rotated(1, Some("2026-01-01T13:00:00Z")),
        announced(END),
        revoked(),
    ]);
}

#[test]
fn every_reason_of_a_revocation_keeps_its_stored_name() {
    let names = <RevocationReason as strum::VariantArray>::VARIANTS;
    assert_eq!(serde_json::to_string(names).unwrap(), r#"["unneeded","leaked","replaced"]"#);
}

#[test]
fn makes_a_key_once_within_what_its_maker_may_do() {
    let scope = ["identity.*:read", "exports.files:request", "identity.*:read "];
    given::<ApiKey>([]).facts(own()).when(create(&scope)).then([created()]);
    given::<ApiKey>([created()]).facts(own()).when(create(&scope)).refused(Rejection::Exists);
    let refused = |scope: &[&str], because| {
        given::<ApiKey>([]).facts(own()).when(create(scope)).refused(because);
    };
    for beyond in ["*:*", "audit.trail:read", "*:read", "exports.*:*"] {
        refused(&["exports.files:request", beyond], Rejection::ScopeExceeds(beyond.into()));
    }
    for unknown in ["exports.files", "no.such:thing", "a b:c", ""] {
        refused(&[unknown], Rejection::ScopeUnknown(unknown.into()));
    }
    refused(&[], Rejection::ScopeSize);
    let many: Vec<String> = (0..=SCOPE_MAX_COUNT).map(|n| format!("identity.x{n}.*:*")).collect();
    refused(&many.iter().map(String::as_str).collect::<Vec<_>>(), Rejection::ScopeSize);
}

#[test]
fn has_a_name_an_end_that_is_near_and_a_real_digest() {
    let scope = &["exports.files:request"];
    let refused = |create, because| {
        given::<ApiKey>([]).facts(own()).when(Command::Create(create)).refused(because);
    };
    let ends = |end: &str| Create { expires_at: at(end), ..wanted(scope) };
    refused(ends("2026-01-01T12:00:00Z"), Rejection::ExpiryInvalid);
    refused(ends("2027-01-02T12:00:01Z"), Rejection::ExpiryInvalid);
    let nameless = Create { name: " ".into(), ..wanted(scope) };
    refused(nameless, Rejection::NameInvalid(Fault::Empty));
    let plain = Create { secret_sha256: "secret".into(), ..wanted(scope) };
    refused(plain, Rejection::DigestInvalid);
}

#[test]
fn what_one_holds_in_a_unit_alone_goes_into_ones_own_keys_and_no_others() {
    let mut organization = Organization::default();
    let unit_id: UnitId = id(200);
    organization.evolve(&organization::Event::UnitAdded {
        unit_id,
        kind: UnitKind::Branch,
        code: "N".into(),
        name: "North".into(),
        parent_id: None,
        time_zone: None,
    });
    let mut facts = facts(&[], 1, &[]);
    facts.owner.caller_access = access(&[CLERK], Some(unit_id));
    facts.owner.organization = Arc::new(organization);
    let scope = &["exports.files:request"];
    assert!(given::<ApiKey>([]).facts(facts.clone()).when(create(scope)).result().is_ok());
    facts.owner.user_id = id(7);
    let exceeds = Rejection::ScopeExceeds("exports.files:request".into());
    given::<ApiKey>([]).facts(facts).when(create(scope)).refused(exceeds);
}

#[test]
fn acts_for_somebody_else_only_where_its_maker_could_take_them_over() {
    let scope = &["exports.files:request"];
    let make = |facts| given::<ApiKey>([]).facts(facts).when(create(scope));
    assert!(make(facts(&[CHIEF], 7, &[CLERK])).result().is_ok());
    make(facts(&[CHIEF], 7, &[CHIEF])).refused(Rejection::OwnerOutOfReach);
    make(facts(&[CLERK], 7, &[CHIEF])).refused(Rejection::OwnerOutOfReach);
    let left = Facts { owner_is_active: false, ..own() };
    make(left).refused(Rejection::OwnerInactive);
    let take = facts(&[CHIEF], 7, &[CHIEF]);
    given::<ApiKey>([created()]).facts(take).when(rotate(1, 0)).refused(Rejection::OwnerOutOfReach);
}

#[test]
fn another_secret_kills_the_one_before_at_once_or_after_an_overlap() {
    let rotate_at_once = given::<ApiKey>([created()]).facts(own()).when(rotate(1, 0));
    rotate_at_once.then([rotated(1, None)]);
    let later = given::<ApiKey>([created()]).facts(own()).when(rotate(1, 60));
    later.then([rotated(1, Some("2026-01-01T13:00:00Z"))]);
    let refused = |command, because| {
        given::<ApiKey>([created()]).facts(own()).when(command).refused(because);
    };
    refused(rotate(1, OVERLAP_MAX_MINUTES + 1), Rejection::OverlapTooLong);
    refused(rotate(0, 0), Rejection::SecretRepeated);

    let (noon, one) = (context().now, at("2026-01-01T13:00:00Z"));
    let key = after([created(), rotated(1, Some("2026-01-01T13:00:00Z"))]);
    assert_eq!((key.rotation_of(&digest(0)), key.rotation_of(&digest(1))), (Some(0), Some(1)));
    assert_eq!((key.alive(0, noon), key.alive(1, noon)), (Ok(()), Ok(())));
    assert_eq!((key.alive(0, one), key.alive(1, one)), (Err(Rejection::RotatedAway), Ok(())));
    let key = after([created(), rotated(1, None)]);
    assert_eq!(
        (key.rotation_of(&digest(0)), key.alive(0, noon)),
        (None, Err(Rejection::RotatedAway))
    );
    let key = after([created(), rotated(1, Some("2026-01-01T13:00:00Z")), rotated(2, None)]);
    assert_eq!(key.alive(0, noon), Err(Rejection::RotatedAway));
}

#[test]
fn an_end_that_has_come_is_put_off_by_another_secret_and_not_for_the_one_before() {
    let late = Context { now: at("2026-06-02T00:00:00Z"), ..context() };
    let given = given::<ApiKey>([created()]).facts(own()).context(late);
    let expires_at = Some(at("2026-07-01T00:00:00Z"));
    let rotate = Rotate { secret_sha256: digest(1), expires_at, overlap_minutes: 60 };
    given.when(Command::Rotate(rotate)).then([Event::Rotated {
        secret_sha256: digest(1),
        expires_at: at("2026-07-01T00:00:00Z"),
        overlap_ends_at: None,
    }]);
}

#[test]
fn is_alive_until_it_expires_or_is_revoked() {
    let noon = context().now;
    assert_eq!(ApiKey::default().alive(0, noon), Err(Rejection::Unknown));
    assert_eq!(ApiKey::default().rotation_of(""), None);
    assert_eq!(after([created()]).alive(0, noon), Ok(()));
    assert_eq!(after([created()]).alive(0, at(END)), Err(Rejection::Expired));
    assert_eq!(after([created(), revoked()]).alive(0, noon), Err(Rejection::Revoked));
    assert_eq!(after([created()]).alive(u32::MAX, noon), Err(Rejection::RotatedAway));
}

#[test]
fn is_revoked_once_and_for_good() {
    let revoke = || Command::Revoke(Revoke { reason: RevocationReason::Leaked });
    let rename = |name: &str| Command::Rename(Rename { name: name.into() });
    given::<ApiKey>([created()]).when(revoke()).then([revoked()]);
    given::<ApiKey>([created(), revoked()]).when(revoke()).then([]);
    let given_revoked = || given::<ApiKey>([created(), revoked()]).facts(own());
    given_revoked().when(rotate(1, 0)).refused(Rejection::Revoked);
    given_revoked().when(rename("x")).refused(Rejection::Revoked);
    for command in [revoke(), rename("x"), rotate(1, 0)] {
        given::<ApiKey>([]).when(command).refused(Rejection::Unknown);
    }
    given::<ApiKey>([created()]).when(rename("Stock import ")).then([]);
    let renamed = Event::Renamed { name: "Stock export".into() };
    given::<ApiKey>([created()]).when(rename("Stock export")).then([renamed]);
}

#[test]
fn a_key_makes_and_changes_no_keys() {
    let mut by_key = context();
    by_key.actor.api_key_id = Some(id(5));
    for command in [create(&["identity.users:read"]), rotate(1, 0)] {
        given::<ApiKey>([])
            .facts(own())
            .context(by_key.clone())
            .when(command)
            .refused(Rejection::ByKey);
    }
}

#[test]
fn a_key_gives_no_more_than_its_scope_whatever_its_owner_may() {
    let scope = Scope::new(["rbac.*:*".to_owned(), "exports.files:request".to_owned()]);
    let by_key = Context { scope: Some(scope), ..context() };
    let (policy, access) = (policy(), access(&[CHIEF], None));
    let holds = |context: &Context, grant: &str| {
        let giver = crate::rbac::giving::Giver { context, policy: &policy, access: &access };
        giver.holds(grant, &[])
    };
    for (grant, owner, key) in [
        ("identity.users:read", true, false),
        ("identity.*:*", true, false),
        ("exports.files:request", true, true),
        ("rbac.roles:read", false, false),
    ] {
        assert_eq!((holds(&context(), grant), holds(&by_key, grant)), (owner, key), "{grant}");
    }
}

#[test]
fn its_end_is_announced_once_when_it_is_near_and_again_when_it_was_moved() {
    let near = || Context { now: at("2026-05-25T00:00:00Z"), ..context() };
    let announce = |events: Vec<Event>, context| {
        given::<ApiKey>(events).context(context).when(Command::AnnounceEnd)
    };
    announce(vec![created()], near()).then([announced(END)]);
    announce(vec![created(), announced(END)], near()).then([]);
    announce(vec![created(), announced(END), rotated(1, None)], near()).then([]);
    let end = "2026-06-01T00:00:00.000001Z";
    let moved = || {
        let (secret_sha256, expires_at, overlap_ends_at) = (digest(1), at(end), None);
        Event::Rotated { secret_sha256, expires_at, overlap_ends_at }
    };
    let past = || vec![created(), announced(END), moved()];
    announce(past(), near()).refused(Rejection::EndsLater);
    let later = Context { now: at("2026-05-25T00:00:00.000001Z"), ..context() };
    announce(past(), later).then([announced(end)]);
    let over = Context { now: at(END), ..context() };
    announce(vec![created()], over).then([]);
    announce(vec![created(), revoked()], near()).then([]);
    announce(vec![], near()).refused(Rejection::Unknown);
}
