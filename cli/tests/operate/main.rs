//! The commands of operators, by the real program against running processes: import, replay, verify, audit, prove, dead letters, backups.

mod backups;
mod exports;
mod files;
mod history;
mod house;
mod imports;
mod jobs;
mod policies;
mod projections;
mod restores;
mod tampering;
