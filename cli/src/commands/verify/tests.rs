//! A replay is believed when it is whole, and never when anything in it was altered.

use events::TenantId;
use events::envelope::Recorded;
use jiff::Timestamp;
use platform::chain;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::{self, Check, Fault, Head, Span};

/// A log of several organisations with positions that have gaps, as replays of one have.
pub(super) fn log(events: usize, tenants: usize, random: &mut StdRng) -> Vec<Recorded> {
    let ids: Vec<TenantId> = (1..=tenants).map(|n| Uuid::from_u128(n as u128).into()).collect();
    let mut log: Vec<Recorded> = Vec::new();
    let mut position = 0;
    for number in 0..events {
        let tenant = *ids.choose(random).unwrap();
        let stream = random.random_range(0..20_u128);
        let of_tenant = || log.iter().rev().find(|event| event.tenant_id == tenant);
        let (seq, before) =
            of_tenant().map_or((0, Vec::new()), |e| (e.tenant_seq, e.chain.clone()));
        let id = match stream {
            0 => "2026-11-21".to_owned(),
            _ => Uuid::from_u128(stream).to_string(),
        };
        let versions = log.iter().filter(|e| e.tenant_id == tenant && e.aggregate_id == id).count();
        position += random.random_range(1..4_i64);
        let mut event = Recorded {
            position,
            tenant_id: tenant,
            tenant_seq: seq + 1,
            aggregate_type: "rbac.policy".into(),
            aggregate_id: id,
            sequence: i64::try_from(versions).unwrap() + 1,
            event_id: Uuid::from_u128(1_000 + number as u128),
            event_type: "rbac.policy.role_created".into(),
            event_version: "1".into(),
            payload: format!(
                "{{\"type\":\"rbac.policy.role_created\",\"name\":\"Zoë \\\"{number}\\\"\"}}"
            ),
            metadata: format!("{{\"actor_id\":\"{number}\",\"ip\":\"127.0.0.1\"}}"),
            recorded_at: Timestamp::from_microsecond(1_800_000_000_000_000 + position).unwrap(),
            chain: Vec::new(),
        };
        event.chain = chain::link(&before, &event).to_vec();
        log.push(event);
    }
    log
}

pub(super) fn line(event: &Recorded) -> String {
    format!(
        "{{\"position\":{},\"tenant_id\":\"{}\",\"tenant_seq\":{},\"aggregate_type\":\"{}\",\
         \"aggregate_id\":\"{}\",\"sequence\":{},\"event_id\":\"{}\",\"event_type\":\"{}\",\
         \"event_version\":\"{}\",\"recorded_at\":\"{:.6}\",\"payload\":{},\"metadata\":{},\"chain\":\"{}\"}}",
        event.position,
        event.tenant_id,
        event.tenant_seq,
        event.aggregate_type,
        event.aggregate_id,
        event.sequence,
        event.event_id,
        event.event_type,
        event.event_version,
        event.recorded_at,
        event.payload,
        event.metadata,
        hex::encode(&event.chain)
    )
}

fn lines(log: &[Recorded]) -> Vec<String> {
    log.iter().map(line).collect()
}

fn fault(lines: &[String], after: &[Head], heads: &[Head]) -> Option<Fault> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    check::verify(text.as_bytes(), &mut Check::new(after, heads)).unwrap().1
}

fn head(event: &Recorded) -> Head {
    let (tenant, seq) = (event.tenant_id, event.tenant_seq);
    format!("{tenant}:{seq}:{}", hex::encode(&event.chain)).parse().unwrap()
}

/// The last event of every organisation.
fn heads(log: &[Recorded]) -> Vec<Head> {
    let last = |tenant| log.iter().rev().find(|event| event.tenant_id == tenant).unwrap();
    let mut tenants: Vec<TenantId> = log.iter().map(|event| event.tenant_id).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants.into_iter().map(|tenant| head(last(tenant))).collect()
}

#[test]
fn a_whole_replay_is_believed_and_its_heads_are_told() {
    let log = log(300, 3, &mut StdRng::seed_from_u64(1));
    assert_eq!(fault(&lines(&log), &[], &heads(&log)), None);
    let text = lines(&log).join("\n"); // without a line feed at the end
    let (report, fault) = check::verify(text.as_bytes(), &mut Check::new(&[], &[])).unwrap();
    assert_eq!(fault, None);
    assert_eq!(report.iter().map(|tenant| tenant.events).sum::<u64>(), 300);
    let last = log.iter().rev().find(|event| event.tenant_id == report[0].tenant_id).unwrap();
    assert_eq!(report[0].last_seq, last.tenant_seq);
    assert_eq!(report[0].chain, hex::encode(&last.chain));
}

#[test]
fn a_later_part_goes_on_where_the_earlier_ended() {
    let log = log(60, 1, &mut StdRng::seed_from_u64(2));
    let (early, late) = log.split_at(25);
    assert_eq!(fault(&lines(late), &heads(early), &heads(&log)), None);
    let unanchored = fault(&lines(late), &[], &[]).unwrap();
    assert_eq!(unanchored.what, "events 1 to 25 are missing before this one");
    let gap = fault(&lines(&log[26..]), &heads(early), &[]).unwrap();
    assert_eq!((gap.line, gap.what.as_str()), (Some(1), "event 26 is missing before this one"));
}

#[test]
fn an_altered_payload_is_named_by_tenant_number_position_and_id() {
    let mut log = log(10, 1, &mut StdRng::seed_from_u64(3));
    log[6].payload = log[6].payload.replace("Zoë", "Zoe");
    let found = fault(&lines(&log), &[], &[]).unwrap();
    assert_eq!(
        found,
        Fault {
            line: Some(7),
            tenant_id: Some(log[6].tenant_id),
            tenant_seq: Some(7),
            position: Some(log[6].position),
            event_id: Some(log[6].event_id),
            first_bad: Some(Span::one(7)),
            what: "it was altered: it does not fit the chain".into(),
        }
    );
    let text = found.to_string();
    assert!(text.starts_with("line 7: it was altered"), "{text}");
    assert!(text.contains("event 7, position"), "{text}");
    assert!(text.ends_with("; the first bad event is 7"), "{text}");
}

#[test]
fn a_rewritten_history_is_found_by_its_head() {
    let mut log = log(30, 1, &mut StdRng::seed_from_u64(4));
    let expected = heads(&log);
    log[10].payload = log[10].payload.replace("Zoë", "Zoe");
    for index in 10..log.len() {
        let before = log[index - 1].chain.clone();
        log[index].chain = chain::link(&before, &log[index]).to_vec();
    }
    assert_eq!(fault(&lines(&log), &[], &[]), None, "by itself it is in order");
    assert_eq!(fault(&lines(&log), &[], &expected).unwrap().tenant_seq, Some(30));
}

#[test]
fn what_is_cut_off_at_the_end_is_found_by_the_head() {
    let log = log(30, 2, &mut StdRng::seed_from_u64(5));
    for kept in 0..log.len() {
        let found = fault(&lines(&log[..kept]), &[], &heads(&log)).unwrap();
        assert_eq!(found.line, None, "{found}");
    }
}

/// What somebody might do to a replay; nothing when it happened to change nothing.
fn tampered(log: &[Recorded], random: &mut StdRng) -> Option<(Vec<String>, &'static str)> {
    let mut lines = lines(log);
    let at = random.random_range(0..lines.len());
    let other = random.random_range(0..lines.len());
    let what = match random.random_range(0..7) {
        0 => {
            lines.remove(at);
            "deleted"
        }
        1 if at != other => {
            lines.swap(at, other);
            "swapped"
        }
        1 | 2 => {
            lines.insert(at, lines[other].clone());
            "inserted again"
        }
        3 => {
            let mut event = log[at].clone();
            event.payload = "{\"type\":\"rbac.policy.role_created\",\"name\":\"me\"}".into();
            event.event_id = Uuid::from_u128(9);
            let before = at.checked_sub(1).map(|before| log[before].chain.clone());
            event.chain = chain::link(&before.unwrap_or_default(), &event).to_vec();
            lines.insert(at, line(&event));
            "inserted anew"
        }
        4 => {
            lines.truncate(at);
            "truncated"
        }
        5 => {
            let line = &mut lines[at];
            let place = random.random_range(0..line.len());
            let byte = line.as_bytes()[place];
            let mut bytes = line.clone().into_bytes();
            bytes[place] = if byte == b'7' { b'8' } else { b'7' };
            *line = String::from_utf8(bytes).ok()?; // it was in the middle of a letter
            let (before, after) = (position_in(log, at), number(line, "position"));
            // Positions are the installation's; only their order is the organisation's to check.
            if after.is_some() && after != Some(before) && in_order(log, at, after?) {
                return None;
            }
            "one byte altered"
        }
        _ => {
            lines[at] = edited(&log[at], random);
            "a member altered"
        }
    };
    Some((lines, what))
}

fn position_in(log: &[Recorded], at: usize) -> i64 {
    log[at].position
}

fn number(line: &str, member: &str) -> Option<i64> {
    serde_json::from_str::<Value>(line).ok()?.get(member)?.as_i64()
}

fn in_order(log: &[Recorded], at: usize, position: i64) -> bool {
    let before = at.checked_sub(1).map_or(0, |before| log[before].position);
    let after = log.get(at + 1).map_or(i64::MAX, |after| after.position);
    before < position && position < after
}

/// One member of the envelope with another value.
fn edited(event: &Recorded, random: &mut StdRng) -> String {
    let mut event = event.clone();
    match random.random_range(0..11) {
        0 => event.position = random.random_range(-5..1),
        1 => event.tenant_id = Uuid::from_u128(random.random_range(1..9)).into(),
        2 => event.tenant_seq += random.random_range(1..5_i64),
        3 => event.aggregate_type = "rbac.user_access".into(),
        4 => event.aggregate_id = Uuid::from_u128(random.random_range(100..200)).to_string(),
        5 => event.sequence += 1,
        6 => event.event_id = Uuid::from_u128(random.random_range(1..900)),
        7 => event.event_type = "rbac.policy.role_deleted".into(),
        8 => event.event_version = "2".into(),
        9 => event.recorded_at += jiff::SignedDuration::from_micros(random.random_range(1..99)),
        _ => {
            let metadata: Value = serde_json::from_str(&event.metadata).unwrap();
            event.metadata = json!({"actor_id": "somebody else", "ip": metadata["ip"]}).to_string();
        }
    }
    line(&event)
}

#[test]
fn a_thousand_random_tamperings_are_all_found() {
    let mut random = StdRng::seed_from_u64(20_261_121);
    let log = log(120, 3, &mut random);
    let heads = heads(&log);
    let original = lines(&log);
    assert_eq!(fault(&original, &[], &heads), None);
    let mut tried = 0;
    while tried < 1_000 {
        let Some((lines, what)) = tampered(&log, &mut random) else { continue };
        if lines == original {
            continue;
        }
        tried += 1;
        let found = fault(&lines, &[], &heads);
        let first = lines.iter().zip(&original).position(|(one, other)| one != other);
        assert!(found.is_some(), "{what} at line {first:?} was not found");
        if let (Some(line), Some(first)) = (found.as_ref().and_then(|f| f.line), first) {
            assert!(line > first as u64, "{what}: {found:?} is before the first altered line");
        }
    }
}

#[test]
fn texts_that_mean_the_same_but_are_not_what_we_write_are_refused() {
    let mut log = log(1, 1, &mut StdRng::seed_from_u64(6));
    log[0].event_id = Uuid::from_u128(0xabcd);
    let before = line(&log[0]);
    let time = format!("{:.6}", log[0].recorded_at);
    for (from, to) in [
        (time.as_str(), time.replace('Z', "+00:00").as_str()),
        (time.as_str(), time.replace('T', " ").as_str()),
        (time.as_str(), time.replace('Z', "1Z").as_str()),
        ("abcd", "ABCD"),
        ("\"position\":", "\"extra\":1,\"position\":"),
        ("\"position\":", "\"position\":1,\"position\":"),
    ] {
        let altered = before.replace(from, to);
        assert_ne!(altered, before);
        assert!(fault(&[altered], &[], &[]).is_some(), "{from} became {to}");
    }
}

#[test]
fn heads_are_read_as_they_are_printed() {
    let chain = "0f".repeat(32);
    assert!(format!("7:{chain}").parse::<Head>().is_ok());
    assert!(format!("{}:7:{chain}", Uuid::nil()).parse::<Head>().is_ok());
    for bad in ["", "7", &chain, &format!("0:{chain}"), &format!("x:7:{chain}"), "7:0f"] {
        assert!(bad.parse::<Head>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_never_more_than_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_, fault) = check::verify(bytes.as_slice(), &mut Check::new(&[], &[])).unwrap();
        prop_assert_eq!(fault.is_none(), bytes.is_empty());
    }

    #[test]
    fn a_replay_with_one_flipped_bit_is_never_believed(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let log = log(6, 1, &mut StdRng::seed_from_u64(8));
        let mut bytes = lines(&log).join("\n").into_bytes();
        let place = place.index(bytes.len());
        let original = number_lines(&bytes);
        bytes[place] ^= 1_u8 << bit;
        let (_, fault) = check::verify(bytes.as_slice(), &mut Check::new(&[], &heads(&log))).unwrap();
        let only_positions = number_lines(&bytes).is_some_and(|altered| Some(altered) != original);
        let white = bytes[place].is_ascii_whitespace();
        prop_assert!(fault.is_some() || only_positions || white);
    }
}

/// The positions of a replay, if all its lines are still JSON.
fn number_lines(bytes: &[u8]) -> Option<Vec<i64>> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().map(|line| number(line, "position")).collect()
}
