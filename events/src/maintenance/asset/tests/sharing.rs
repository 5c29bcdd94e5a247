//! Who is let in, how far, and what is told of it.

use super::*;

fn share(with: With, level: Level) -> Share {
    Share { with, level }
}

fn anna() -> With {
    With::User(id(2))
}

fn hall() -> With {
    With::Unit(id(4))
}

fn set(visibility: Visibility, shares: impl IntoIterator<Item = Share>) -> Command {
    Command::SetSharing { visibility, shares: shares.into_iter().collect() }
}

fn shared(with: With, level: Level) -> Event {
    Event::Shared { with, level }
}

fn chosen(visibility: Visibility) -> Event {
    Event::VisibilityChosen { visibility }
}

fn after(past: impl IntoIterator<Item = Event>) -> Asset {
    let mut asset = Asset::default();
    for event in [registered()].into_iter().chain(past) {
        asset.evolve(&event);
    }
    asset
}

#[test]
fn only_what_differs_is_told() {
    let first = set(Visibility::Unit, [share(anna(), Level::View), share(hall(), Level::Work)]);
    let past = [
        registered(),
        chosen(Visibility::Unit),
        shared(anna(), Level::View),
        shared(hall(), Level::Work),
    ];
    given::<Asset>([registered()]).facts(manager()).when(first.clone()).then(past[1..].to_vec());
    given::<Asset>(past.clone()).facts(manager()).when(first).then([]);
    let next = set(Visibility::Unit, [share(anna(), Level::Manage)]);
    given::<Asset>(past.clone())
        .facts(manager())
        .when(next)
        .then([Event::Unshared { with: hall() }, shared(anna(), Level::Manage)]);
    let nobody = set(Visibility::Private, []);
    let unshared = |with| Event::Unshared { with };
    given::<Asset>(past).facts(manager()).when(nobody).then([
        chosen(Visibility::Private),
        unshared(anna()),
        unshared(hall()),
    ]);
}

#[test]
fn it_is_shared_with_those_who_are_there_once_each_and_not_with_too_many() {
    let many = (0..101).map(|number| share(With::User(id(number)), Level::View));
    given::<Asset>([registered()])
        .facts(manager())
        .when(set(Visibility::Private, many))
        .refused(Rejection::SharesFull);
    let twice = [share(anna(), Level::View), share(anna(), Level::Work)];
    given::<Asset>([registered()])
        .facts(manager())
        .when(set(Visibility::Private, twice))
        .refused(Rejection::SharedTwice(anna().id()));
    let facts = Facts { strangers: vec![hall()], ..manager() };
    let with_hall = set(Visibility::Private, [share(hall(), Level::View)]);
    given::<Asset>([registered()])
        .facts(facts.clone())
        .when(with_hall)
        .refused(Rejection::SharedWithNobody(hall().id()));
    // Somebody whom nobody asks for does not stand in the way.
    let with_anna = set(Visibility::Private, [share(anna(), Level::View)]);
    given::<Asset>([registered()]).facts(facts).when(with_anna).then([shared(anna(), Level::View)]);
}

#[test]
fn somebody_is_let_in_as_far_as_the_widest_of_all_ways() {
    let private = after([shared(anna(), Level::View), shared(hall(), Level::Work)]);
    assert_eq!(private.lets_in(id(2), &[]), Some(Level::View));
    assert_eq!(private.lets_in(id(2), &[id(4)]), Some(Level::Work));
    assert_eq!(private.lets_in(id(9), &[id(4)]), Some(Level::Work));
    assert_eq!(private.lets_in(id(9), &[id(3)]), None, "its own unit does not see what is private");
    let of_unit = after([chosen(Visibility::Unit)]);
    assert_eq!(of_unit.lets_in(id(9), &[id(3)]), Some(Level::View));
    assert_eq!(of_unit.lets_in(id(9), &[id(4)]), None);
    let everybodys = after([chosen(Visibility::Organization), shared(anna(), Level::Manage)]);
    assert_eq!(everybodys.lets_in(id(9), &[]), Some(Level::View));
    assert_eq!(everybodys.lets_in(id(2), &[]), Some(Level::Manage));
    let gone = after([shared(anna(), Level::Manage), Event::Unshared { with: anna() }]);
    assert_eq!(gone.lets_in(id(2), &[]), None);
}

#[test]
fn whoever_is_let_in_is_found_among_the_readers_and_nobody_else() {
    let units = [vec![], vec![id(3)], vec![id(4)], vec![id(3), id(4)]];
    let pasts = [
        vec![],
        vec![chosen(Visibility::Unit)],
        vec![chosen(Visibility::Organization)],
        vec![chosen(Visibility::Unit), moved()],
        vec![chosen(Visibility::Unit), Event::Moved { from: Some(id(3)), unit_id: None }],
        vec![shared(anna(), Level::View)],
        vec![shared(hall(), Level::Work), chosen(Visibility::Unit)],
        vec![shared(anna(), Level::View), Event::Unshared { with: anna() }],
    ];
    for past in pasts {
        let asset = after(past);
        let readers = asset.readers();
        assert!(readers.is_sorted());
        for user in [id(2), id(9)] {
            for units in &units {
                let found = seen_as(user, units.iter().copied());
                let found = found.iter().any(|reader| readers.contains(reader));
                assert_eq!(
                    found,
                    asset.lets_in(user, units).is_some(),
                    "{user} {units:?} {readers:?}"
                );
            }
        }
    }
}
