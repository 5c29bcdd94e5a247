//! Rules of short lists that commands carry.

/// Whether a value stands in the list twice. Compares each with all before it: for lists with a bound on their length.
pub(crate) fn repeats<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().any(|(index, value)| values[..index].contains(value))
}
