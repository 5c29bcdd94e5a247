//! Whatever is done to a history, by whomever, one checkpoint that was kept elsewhere finds it, and its leaves name the first bad event.

use std::io::Cursor;

use aws_lc_rs::signature::Ed25519KeyPair;
use events::envelope::Recorded;
use platform::chain;
use platform::transparency::checkpoint::{Checkpoint, Origin};
use platform::transparency::note::{self, VerifierKey};
use platform::transparency::tree::Edge;
use platform::transparency::{self, Hash};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::anchor::{self, Anchor};
use super::check::{self, Check, Fault, Span};
use super::tests::{line, log};

const EVENTS: usize = 40;
const TAMPERINGS: usize = 10_000;

fn leaves(log: &[Recorded]) -> Vec<Hash> {
    let leaf = |e: &Recorded| transparency::leaf(e.position, &chain::covered(e), &e.chain);
    log.iter().map(leaf).collect()
}

/// A checkpoint of the first `size` events.
fn checkpoint(log: &[Recorded], size: usize) -> Checkpoint {
    let mut edge = Edge::default();
    for leaf in leaves(&log[..size]) {
        edge.push(leaf);
    }
    let origin = Origin::new("annals.example", log[0].tenant_id, 1);
    Checkpoint { origin, size: edge.size(), root: edge.root() }
}

fn bytes(log: &[Recorded]) -> Cursor<Vec<u8>> {
    Cursor::new(leaves(log).into_flattened())
}

fn fault(log: &[Recorded], anchor: Anchor) -> Option<Fault> {
    let text: String = log.iter().flat_map(|event| [line(event), "\n".to_owned()]).collect();
    check::verify(text.as_bytes(), &mut Check::new(&[], &[]).against(anchor)).unwrap().1
}

/// Computes the chain anew, as a superuser would who knows how it is made.
fn rechain(log: &mut [Recorded]) {
    let mut before = Vec::new();
    for event in log {
        event.chain = chain::link(&before, event).to_vec();
        before.clone_from(&event.chain);
    }
}

/// Numbers, positions and versions that show no gap.
fn renumber(log: &mut [Recorded]) {
    let mut position = 0;
    for at in 0..log.len() {
        let id = log[at].aggregate_id.clone();
        let before = log[..at].iter().filter(|event| event.aggregate_id == id).count();
        let event = &mut log[at];
        position = event.position.max(position + 1);
        event.position = position;
        event.tenant_seq = i64::try_from(at).unwrap() + 1;
        event.sequence = i64::try_from(before).unwrap() + 1;
    }
}

/// Gives one column of an event another value.
fn edit(event: &mut Recorded, random: &mut StdRng) {
    let number = random.random_range(1..1_000_i64);
    match random.random_range(0..13) {
        0 => event.position += number,
        1 => event.tenant_id = Uuid::from_u128(random.random_range(2..9)).into(),
        2 => event.tenant_seq = number,
        3 => event.aggregate_type.push('x'),
        4 => event.aggregate_id = Uuid::from_u128(random.random_range(1..99)).to_string(),
        5 => event.sequence = number,
        6 => event.event_id = Uuid::from_u128(random.random()),
        7 => event.event_type = "rbac.policy.role_deleted".into(),
        8 => event.event_version = number.to_string(),
        9 => event.payload = event.payload.replace("Zoë", "Zoe"),
        10 => event.metadata = event.metadata.replace("127.0.0.1", "127.0.0.2"),
        11 => event.recorded_at += jiff::SignedDuration::from_micros(number),
        _ => {
            let place = random.random_range(0..event.chain.len());
            event.chain[place] ^= 1 << random.random_range(0..8);
        }
    }
}

fn tampered(log: &[Recorded], random: &mut StdRng) -> (Vec<Recorded>, &'static str) {
    let mut altered = log.to_vec();
    let (at, other) = (random.random_range(0..log.len()), random.random_range(0..log.len()));
    let what = match random.random_range(0..5) {
        0 => {
            edit(&mut altered[at], random);
            "edited"
        }
        1 => {
            altered.remove(at);
            "deleted"
        }
        2 => {
            let mut forged = altered[other].clone();
            edit(&mut forged, random);
            altered.insert(at, forged);
            "inserted"
        }
        3 => {
            altered.swap(at, other);
            "swapped"
        }
        _ => {
            altered.truncate(at);
            "truncated"
        }
    };
    match random.random_range(0..3) {
        0 => {}
        1 => rechain(&mut altered),
        _ => {
            renumber(&mut altered);
            rechain(&mut altered);
        }
    }
    (altered, what)
}

#[test]
fn ten_thousand_random_tamperings_are_found_by_one_checkpoint_and_the_first_bad_event_is_named() {
    let mut random = StdRng::seed_from_u64(20_261_121);
    let original = log(EVENTS, 1, &mut random);
    let checkpoint = checkpoint(&original, EVENTS);
    let anchored = || Anchor::new(vec![checkpoint.clone()]).unwrap();
    let kept = bytes(&original);
    anchored().proves(kept.clone()).unwrap();
    assert_eq!(fault(&original, anchored().with_leaves(Box::new(kept.clone()))), None);
    let (mut tried, mut rewritten) = (0, 0);
    while tried < TAMPERINGS {
        let (altered, what) = tampered(&original, &mut random);
        if altered == original {
            continue;
        }
        tried += 1;
        let same = altered.iter().zip(&original).take_while(|(one, other)| one == other).count();
        let first = same as u64 + 1;
        let named = fault(&altered, anchored().with_leaves(Box::new(kept.clone())));
        let named = named.unwrap_or_else(|| panic!("{what} at {first} was not found"));
        assert_eq!(named.first_bad, Some(Span::one(first)), "{what}: {named}");

        let found = fault(&altered, anchored());
        let found = found.unwrap_or_else(|| panic!("{what} at {first}: not by the root alone"));
        let span = found.first_bad.unwrap();
        assert!(span.to >= first, "{what} at {first}: {found}");
        rewritten += usize::from(found.what.contains("rewritten"));
    }
    assert!(rewritten > TAMPERINGS / 5, "{rewritten} had a chain that is right by itself");
}

#[test]
fn a_rewritten_history_is_narrowed_down_by_earlier_checkpoints() {
    let original = log(EVENTS, 1, &mut StdRng::seed_from_u64(1));
    let mut altered = original.clone();
    altered[16].payload = altered[16].payload.replace("Zoë", "Zoe");
    rechain(&mut altered);
    let several = [40, 10, 20, 30].map(|size| checkpoint(&original, size));
    let found = fault(&altered, Anchor::new(several.to_vec()).unwrap()).unwrap();
    assert_eq!(found.first_bad, Some(Span { from: 11, to: 20 }));
    assert!(found.to_string().ends_with("the first bad event is one of 11 to 20"), "{found}");
    let alone = fault(&altered, Anchor::new(vec![checkpoint(&original, 40)]).unwrap()).unwrap();
    assert_eq!(alone.first_bad, Some(Span { from: 1, to: 40 }));
}

#[test]
fn leaves_that_were_rewritten_with_the_history_are_not_believed() {
    let original = log(EVENTS, 1, &mut StdRng::seed_from_u64(2));
    let mut altered = original.clone();
    altered[3].metadata = altered[3].metadata.replace("127.0.0.1", "127.0.0.2");
    rechain(&mut altered);
    let anchor = Anchor::new(vec![checkpoint(&original, EVENTS)]).unwrap();
    let refused = anchor.proves(bytes(&altered)).unwrap_err().to_string();
    assert!(refused.contains("not those of the checkpoint"), "{refused}");
    let refused = anchor.proves(bytes(&original[1..])).unwrap_err().to_string();
    assert!(refused.contains("39 leaves, but the checkpoint covers 40"), "{refused}");
    anchor.proves(bytes(&log(EVENTS, 1, &mut StdRng::seed_from_u64(2)))).unwrap();
}

#[test]
fn later_events_than_the_checkpoint_covers_are_held_by_the_chain() {
    let original = log(EVENTS, 1, &mut StdRng::seed_from_u64(3));
    let anchored = || Anchor::new(vec![checkpoint(&original, 25)]).unwrap();
    assert_eq!(fault(&original, anchored()), None);
    let mut altered = original.clone();
    altered[30].payload = altered[30].payload.replace("Zoë", "Zoe");
    assert_eq!(fault(&altered, anchored()).unwrap().first_bad, Some(Span::one(31)));
}

#[test]
fn checkpoints_of_two_versions_or_two_logs_are_told_apart() {
    let one = log(EVENTS, 1, &mut StdRng::seed_from_u64(4));
    let other = log(EVENTS, 1, &mut StdRng::seed_from_u64(5));
    let split = Anchor::new(vec![checkpoint(&one, 9), checkpoint(&other, 9)]).err().unwrap();
    assert!(split.to_string().contains("two versions"), "{split}");
    let mut elsewhere = checkpoint(&one, 9);
    elsewhere.origin.epoch = 2;
    assert!(Anchor::new(vec![checkpoint(&one, 9), elsewhere]).is_err());
    let last = [one.len(), one.len()].map(|size| checkpoint(&one, size));
    assert_eq!(fault(&one, Anchor::new(last.to_vec()).unwrap()), None, "the same one twice");
}

#[test]
fn a_checkpoint_that_somebody_else_signed_is_not_believed() {
    let pair = |seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let original = log(3, 1, &mut StdRng::seed_from_u64(6));
    let checkpoint = checkpoint(&original, 3);
    let name = checkpoint.origin.to_string();
    let key = VerifierKey::new(&name, note::public(&pair(1)).unwrap()).unwrap();
    let signed = |seed| note::sign(&checkpoint.to_string(), &name, &pair(seed)).unwrap();
    let keys = [key];
    assert_eq!(anchor::checkpoint(&signed(1), &keys).unwrap(), checkpoint);
    assert!(anchor::checkpoint(&signed(2), &keys).is_err());
    assert!(anchor::checkpoint(&signed(1).replace("\n3\n", "\n2\n"), &keys).is_err());
    assert!(anchor::checkpoint(&signed(2), &[]).is_ok(), "whoever kept it vouches");
}
