//! What commands that talk to the doors are all told: as whom, and how to answer.

use serde_json::Value;

use super::client::Options;

/// As whom, and how to answer.
#[derive(Debug, clap::Args)]
pub(super) struct Manner {
    /// Answer with JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) client: Options,
}

impl Manner {
    /// Answers with what the server said, or in words.
    pub(super) fn tell(&self, answer: &Value, words: &str) {
        if self.json { println!("{answer}") } else { println!("{words}") }
    }
}
