//! Effective permissions in Redis: found by other processes, never believed when old, and never needed.

mod believing;
mod outages;
mod racing;
mod support;
