//! Events told to programs elsewhere: which addresses hear of which events, and when one is told no more.

pub mod endpoint;
mod wanted;

pub use wanted::{EVERY, Wanted};
