//! The order of rows as `sort=` has it, from the keys that were stored.

use super::Dataset;

/// The text of an order. What was stored names the dataset's own key at the end, which every question adds by itself.
pub fn order<'a>(dataset: &Dataset, keys: impl IntoIterator<Item = (&'a str, bool)>) -> String {
    let keys: Vec<_> = keys.into_iter().collect();
    let mut keys = keys.as_slice();
    while let [.., before, last] = keys
        && dataset.key.contains(&last.0)
        && last.1 == before.1
    {
        keys = &keys[..keys.len() - 1];
    }
    let sign = |descending| if descending { "-" } else { "" };
    let keys = keys.iter().map(|(column, descending)| format!("{}{column}", sign(*descending)));
    keys.collect::<Vec<_>>().join(",")
}
