//! The upkeep of assets: what there is, where it belongs, how much it was used, who besides its unit may deal with it, and what is to be done.

pub mod asset;
pub mod task;
