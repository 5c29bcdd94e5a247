//! Sealing and opening, and what must not open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::UserId;
use events::envelope::encode;
use events::identity::user::Event;
use events::testing::{at, id};
use proptest::prelude::*;

use super::*;

const REGISTERED: &str = "identity.user.registered";

fn tenant() -> TenantId {
    id(0)
}

fn subject() -> Uuid {
    id::<UserId>(1).0
}

fn place(of: &'static str, member: &'static str) -> Place<'static> {
    Place { tenant: tenant(), subject: subject(), of, member }
}

fn key() -> Key {
    Key::new([7; 32])
}

fn keys(key: Option<Key>) -> Keys {
    Keys::from([((tenant(), subject()), key)])
}

fn registered(display_name: &str) -> String {
    format!(
        r#"{{"type":"{REGISTERED}","handle":"ada","display_name":"{display_name}","locale":"en"}}"#
    )
}

#[test]
fn a_text_opens_where_it_was_sealed_and_nowhere_else() {
    let sealed = key().seal(&place(REGISTERED, "display_name"), "Ada");
    assert!(!sealed.contains("Ada") && is_sealed(&sealed));
    let payload = registered(&sealed);
    assert_eq!(open_event(&keys(Some(key())), tenant(), &payload), registered("Ada"));
    let elsewhere = payload.replace("\"display_name\"", "\"email\"");
    assert_eq!(open_event(&keys(Some(key())), tenant(), &elsewhere), elsewhere);
    let renamed = payload.replace(REGISTERED, "identity.user.renamed");
    assert_eq!(open_event(&keys(Some(key())), tenant(), &renamed), renamed);
}

#[test]
fn a_digest_is_known_again_by_the_same_key_for_the_same_purpose_only() {
    let (home, other) = (key().digest("place", "home"), Key::new([8; 32]));
    assert_eq!(home.len(), 64);
    assert_eq!(key().digest("place", "home"), home);
    assert_ne!(key().digest("place", "office"), home);
    assert_ne!(key().digest("device", "home"), home);
    assert_ne!(other.digest("place", "home"), home, "without the key nobody can tell");
}

#[test]
fn another_tenant_another_person_and_another_key_open_nothing() {
    let sealed = key().seal(&place(REGISTERED, "display_name"), "Ada");
    let payload = registered(&sealed);
    let (other, somebody): (TenantId, Uuid) = (id(9), id::<UserId>(2).0);
    let theirs = Keys::from([((other, subject()), Some(key()))]);
    assert_eq!(open_event(&theirs, other, &payload), payload);
    let moved = payload.replace(&subject().to_string(), &somebody.to_string());
    let of_both = Keys::from([((tenant(), somebody), Some(key()))]);
    assert_eq!(open_event(&of_both, tenant(), &moved), moved);
    assert_eq!(open_event(&keys(Some(Key::new([8; 32]))), tenant(), &payload), payload);
}

#[test]
fn what_is_cut_short_or_altered_stays_as_it_stands() {
    let sealed = key().seal(&place(REGISTERED, "display_name"), "Ada");
    for end in 0..sealed.len() {
        let payload = registered(&sealed[..end]);
        assert_eq!(open_event(&keys(Some(key())), tenant(), &payload), payload);
    }
    let mut altered = sealed.clone().into_bytes();
    let middle = altered.len() - 10;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    let payload = registered(std::str::from_utf8(&altered).unwrap());
    assert_eq!(open_event(&keys(Some(key())), tenant(), &payload), payload);
}

#[test]
fn without_a_key_there_is_the_word_erased_and_the_event_is_readable_all_the_same() {
    let sealed = key().seal(&place(REGISTERED, "display_name"), "Ada");
    let payload = registered(&sealed);
    assert_eq!(open_event(&keys(None), tenant(), &payload), registered("erased"));
    let answer = format!(r#"{{"items":[{{"value":"{sealed}"}}]}}"#);
    let erased = r#"{"items":[{"value":"erased"}]}"#;
    assert_eq!(open_json(&keys(None), tenant(), &answer), erased);
    assert!(is_of_erased(&keys(None), tenant(), &payload));
    assert!(!is_of_erased(&keys(Some(key())), tenant(), &payload));
}

#[test]
fn a_text_without_anything_sealed_is_not_even_copied() {
    let plain = registered("sealed.v1. or not");
    assert!(matches!(open_event(&keys(None), tenant(), &plain), Cow::Borrowed(_)));
    assert!(matches!(open_json(&keys(None), tenant(), &plain), Cow::Borrowed(_)));
}

#[test]
fn what_is_opened_in_json_is_escaped_and_by_itself_it_is_not() {
    let text = "a\"b\\c\u{0}d\n\u{1f600}";
    let sealed = key().seal(&place(METADATA, "user_agent"), text);
    let opened = open_json(&keys(Some(key())), tenant(), &format!("[\"{sealed}\"]")).into_owned();
    assert_eq!(serde_json::from_str::<Vec<String>>(&opened).unwrap(), [text]);
    assert_eq!(open_text(&keys(Some(key())), tenant(), &sealed), text);
}

#[test]
fn a_sealed_text_inside_a_sealed_text_stays_sealed() {
    let inner = key().seal(&place(REGISTERED, "display_name"), "Ada");
    let outer = key().seal(&place(REGISTERED, "display_name"), &inner);
    let opened = open_event(&keys(Some(key())), tenant(), &registered(&outer)).into_owned();
    assert_eq!(opened, registered(&inner));
}

#[test]
fn members_are_found_as_members_only() {
    let json = r#"{"note":"\"email\":\"x@y\"","email":"a\"b","list":[{"email":"c"}]}"#;
    let found: Vec<String> =
        member_values(json, "email").map(|(_, value)| value.into_owned()).collect();
    assert_eq!(found, ["a\"b", "c"]);
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(text in any::<String>()) {
        let event = Event::Renamed { display_name: text };
        let mut payload = encode(&event).unwrap().payload;
        let renamed = place("identity.user.renamed", "display_name");
        if let Some(sealed) = sealed_member(&payload, "display_name", |it| key().seal(&renamed, it)) {
            payload = sealed;
        }
        prop_assert!(is_sealed(&payload));
        let read: Event = serde_json::from_str(&open_event(&keys(Some(key())), tenant(), &payload)).unwrap();
        prop_assert_eq!(read, event);
    }
}

fn ledger(folder: &std::path::Path, byte: u8) -> Ledger {
    Ledger::new(folder, &MasterKey::parse(&STANDARD.encode([byte; 32])).unwrap())
}

fn erasure(number: u128) -> Erasure {
    let subject_id = id::<UserId>(number).0;
    Erasure { tenant_id: tenant(), subject_id, erased_at: at("2026-01-01T12:00:00Z") }
}

#[test]
fn the_ledger_keeps_everybody_once_and_survives_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), 7);
    assert_eq!(ledger.read().unwrap(), []);
    ledger.add(&erasure(1)).unwrap();
    ledger.add(&erasure(1)).unwrap();
    let mut torn = std::fs::read(ledger.path()).unwrap();
    torn.extend_from_slice(b"{\"tenant_id\":");
    std::fs::write(ledger.path(), torn).unwrap();
    assert_eq!(ledger.read().unwrap(), [erasure(1)]);
    ledger.add(&erasure(2)).unwrap();
    assert_eq!(ledger.read().unwrap(), [erasure(1), erasure(2)]);
}

#[test]
fn an_altered_ledger_is_refused_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let ours = ledger(folder.path(), 7);
    ours.add(&erasure(1)).unwrap();
    assert!(ledger(folder.path(), 8).read().unwrap_err().to_string().contains("line 1"));
    let text = std::fs::read_to_string(ours.path()).unwrap();
    let other = id::<UserId>(2).to_string();
    std::fs::write(ours.path(), text.replace(&subject().to_string(), &other)).unwrap();
    assert!(ours.read().is_err());
}
