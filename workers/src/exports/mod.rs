//! Exports: files made from read models.

pub mod render;
