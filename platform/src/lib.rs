//! What every process needs and no module's name: settings, telemetry, lifecycle, principals, problems, tokens, files, test kit.

pub mod access;
pub mod aggregates;
pub mod bearer;
pub mod chain;
pub mod clock;
pub mod config;
pub mod consistency;
pub mod dataset;
pub mod db;
pub mod files;
pub mod fold;
pub mod http;
pub mod lifecycle;
pub mod log;
pub mod openapi;
pub mod principal;
pub mod problem;
pub mod redis;
pub mod routes;
pub mod secrets;
pub mod telemetry;
pub mod testkit;
pub mod transparency;
