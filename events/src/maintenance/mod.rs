//! The upkeep of assets: what there is, where it belongs, how much it was used, who besides its unit may deal with it, what is to be done, and when.

pub mod asset;
pub mod plan;
pub mod task;
