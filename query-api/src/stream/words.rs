//! Events as the messages that tell of them, put into words once for all subscribers that are told the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;

use super::frames;
use super::lane::Entry;

/// A message is not much longer: each connection keeps as much room as its longest message took.
const MESSAGE_BYTES: usize = 32 << 10;
/// Subscribers of a stream are told the same about the same time; who comes later has it put into words anew.
const KEPT: usize = 8;

/// What was put into words last.
#[derive(Default)]
pub(crate) struct Words(Mutex<VecDeque<Arc<Said>>>);

/// Events of one subscription's name, and the messages that tell of them.
struct Said {
    id: String,
    positions: Vec<i64>,
    messages: Vec<Utf8Bytes>,
}

impl Said {
    fn is_of(&self, id: &str, entries: &[Arc<Entry>]) -> bool {
        self.id == id
            && self.positions.iter().copied().eq(entries.iter().map(|entry| entry.position))
    }
}

impl Words {
    /// The messages that tell a subscription of events of this lane.
    pub(super) fn of(&self, id: &str, entries: &[Arc<Entry>]) -> Vec<Utf8Bytes> {
        if entries.is_empty() {
            return Vec::new();
        }
        if let Some(said) = self.last(|said| said.iter().find(|it| it.is_of(id, entries)).cloned())
        {
            return said.messages.clone();
        }
        let messages = messages(id, entries, None);
        let positions = entries.iter().map(|entry| entry.position).collect();
        let said = Said { id: id.to_owned(), positions, messages: messages.clone() };
        self.last(|last| {
            last.push_front(Arc::new(said));
            last.truncate(KEPT);
        });
        messages
    }

    fn last<T>(&self, look: impl FnOnce(&mut VecDeque<Arc<Said>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The events as frames, several in an array, in messages of bounded size.
pub(super) fn messages(
    id: &str,
    entries: &[Arc<Entry>],
    fields: Option<&[String]>,
) -> Vec<Utf8Bytes> {
    let mut messages = Vec::new();
    let mut message = String::new();
    let mut count = 0;
    for (index, entry) in entries.iter().enumerate() {
        message.push(if count == 0 { '[' } else { ',' });
        frames::event(&mut message, id, entry, fields);
        count += 1;
        if message.len() >= MESSAGE_BYTES || index + 1 == entries.len() {
            if count == 1 {
                message.remove(0); // one frame stands alone
            } else {
                message.push(']');
            }
            messages.push(std::mem::take(&mut message).into());
            count = 0;
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn entry(position: i64, size: usize) -> Arc<Entry> {
        Arc::new(Entry {
            position,
            aggregate_type: "shop.order".into(),
            aggregate_id: "a".into(),
            event_type: "shop.order.made".into(),
            concerns: None,
            json: format!("{{\"position\":{position},\"data\":\"{}\"}}", "x".repeat(size)),
            cursor: format!("c{position}"),
        })
    }

    fn positions(messages: &[Utf8Bytes]) -> Vec<Value> {
        let frames = messages.iter().flat_map(|message| {
            let told: Value = serde_json::from_str(message).unwrap();
            told.as_array().cloned().unwrap_or_else(|| vec![told])
        });
        frames.map(|frame| frame["event"]["position"].clone()).collect()
    }

    #[test]
    fn every_event_is_told_once_and_in_order_in_messages_of_bounded_size() {
        let entries: Vec<_> = (1..=100).map(|position| entry(position, 1_000)).collect();
        let messages = Words::default().of("s", &entries);
        assert!(messages.len() > 1);
        assert!(messages.iter().all(|message| message.len() < MESSAGE_BYTES + 2_000));
        assert_eq!(positions(&messages), (1..=100).map(Value::from).collect::<Vec<_>>());
        assert!(Words::default().of("s", &entries[..1])[0].starts_with('{'));
        assert!(Words::default().of("s", &[]).is_empty());
    }

    #[test]
    fn the_same_words_go_to_whoever_is_told_the_same_and_to_nobody_else() {
        let words = Words::default();
        let entries: Vec<_> = (1..=3).map(|position| entry(position, 10)).collect();
        let first = words.of("s", &entries);
        let same = |other: &[Utf8Bytes]| first[0].as_ptr() == other[0].as_ptr();
        assert!(same(&words.of("s", &entries)));
        assert!(!same(&words.of("t", &entries)));
        let others = [Arc::clone(&entries[0]), Arc::clone(&entries[2])];
        assert_eq!(positions(&words.of("s", &others)), [1, 3]);
        for position in 10..20 {
            words.of("s", &[entry(position, 10)]);
        }
        assert_eq!(words.of("s", &entries), first);
    }
}
