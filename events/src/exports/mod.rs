//! Files made from read models: requested, made by a worker, fetched for a while.

pub mod cleanup;
pub mod export;
mod report;
pub mod template;

pub use report::*;
