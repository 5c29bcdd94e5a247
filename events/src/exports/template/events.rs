//! What can have happened to a template.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::exports::Report;
use crate::text::fold;

/// A name is unique in its organisation, whatever its case.
pub const NAME: &str = "exports.template.name";

/// A fact about a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody began it.
    #[serde(rename = "exports.template.defined")]
    Defined {
        /// What people call it.
        name: String,
        /// What its files show.
        report: Report,
    },
    /// It is called something else.
    #[serde(rename = "exports.template.renamed")]
    Renamed {
        /// What people called it.
        previous: String,
        /// What people call it.
        name: String,
    },
    /// Its files show something else from now on.
    #[serde(rename = "exports.template.revised")]
    Revised {
        /// What its files show.
        report: Report,
    },
    /// Nobody makes files by it any more.
    #[serde(rename = "exports.template.retired")]
    Retired {
        /// What people called it; another may be called so now.
        name: String,
    },
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Defined { name, .. } => vec![Claim::take(NAME, fold(name))],
            Self::Renamed { previous, name } if fold(previous) != fold(name) => {
                vec![Claim::release(NAME, fold(previous)), Claim::take(NAME, fold(name))]
            }
            Self::Renamed { .. } | Self::Revised { .. } => Vec::new(),
            Self::Retired { name } => vec![Claim::release(NAME, fold(name))],
        }
    }
}
