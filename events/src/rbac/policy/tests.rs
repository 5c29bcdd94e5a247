//! The rules of an access policy, by example.
