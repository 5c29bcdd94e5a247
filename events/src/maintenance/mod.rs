//! The upkeep of assets: what there is, where it belongs, how much it was used, and who besides its unit may deal with it.

pub mod asset;
