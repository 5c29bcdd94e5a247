//! The same thing again and again: the first of a minute is passed on at once, and the others as their number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The same is passed on by itself once within it.
pub const WINDOW: Duration = Duration::from_mins(1);
/// So many are kept apart at once; what is beyond counts as the first of its kind.
pub const MOST: usize = 10_000;

/// What came lately.
#[derive(Debug)]
pub struct Repeats<K, V>(Mutex<HashMap<K, Window<V>>>);

/// What was passed on, and how many like it came since.
#[derive(Debug)]
struct Window<V> {
    ends: Instant,
    more: u64,
    first: V,
}

impl<K, V> Default for Repeats<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Repeats<K, V> {
    /// Whether this is to be passed on now; otherwise it is counted. What comes of its number is made of `first`.
    pub fn is_first(&self, key: K, now: Instant, first: impl FnOnce() -> V) -> bool {
        let mut windows = self.windows();
        if let Some(window) = windows.get_mut(&key) {
            window.more += 1;
            return false;
        }
        if windows.len() < MOST {
            windows.insert(key, Window { ends: now + WINDOW, more: 0, first: first() });
        }
        true
    }

    /// What was repeated in windows that have ended, or in all of them, and how often.
    pub fn ended(&self, now: Option<Instant>) -> Vec<(V, u64)> {
        let mut windows = self.windows();
        let ended = windows.extract_if(|_, window| now.is_none_or(|now| window.ends <= now));
        let counted = ended.filter(|(_, window)| window.more > 0);
        counted.map(|(_, window)| (window.first, window.more)).collect()
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<K, Window<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_passed_on_and_the_others_are_counted_until_its_minute_is_over() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        let comes = |key: &'static str, now| repeats.is_first(key, now, || key);
        assert!(comes("anna", begun));
        for _ in 0..999 {
            assert!(!comes("anna", begun));
        }
        assert!(comes("bert", begun), "another is kept apart");
        assert!(repeats.ended(Some(begun)).is_empty());
        assert_eq!(repeats.ended(Some(begun + WINDOW)), [("anna", 999)]);
        assert!(comes("anna", begun + WINDOW), "and the next is passed on");
        assert!(repeats.ended(None).is_empty(), "it was not repeated");
    }

    #[test]
    fn what_is_kept_apart_is_bounded_and_nothing_beyond_is_lost() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        assert!((0..MOST).all(|key| repeats.is_first(key, begun, || key)));
        assert!((0..3).all(|_| repeats.is_first(MOST, begun, || MOST)));
        assert_eq!(repeats.windows().len(), MOST);
    }
}
