//! Files made from read models: requested, made by a worker, fetched for a while.

pub mod export;
