//! An issuer as its rules see it.

use serde::{Deserialize, Serialize};

use super::{Event, Terms};

/// An issuer that an organisation trusts, or did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Whether its tokens count.
    pub status: Status,
    /// What people call it.
    pub name: String,
    /// Its address, exactly as in the `iss` of its tokens.
    pub issuer: String,
    /// Which of its tokens count.
    pub terms: Terms,
    /// How often the sessions that rest on it were ended.
    pub endings: u32,
}

/// Where the trust in an issuer stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was never trusted.
    #[default]
    Absent,
    /// Its tokens count.
    Trusted,
    /// They do not for a while.
    Suspended,
    /// They do not any more.
    Distrusted,
}

impl Issuer {
    /// Whether its tokens count.
    pub fn is_trusted(&self) -> bool {
        self.status == Status::Trusted
    }

    /// Whether a session goes on that rests on it and began when so many endings had been.
    pub fn keeps(&self, began_after: u32) -> bool {
        self.is_trusted() && self.endings == began_after
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Trusted { name, issuer, terms } => {
                *self = Self {
                    status: Status::Trusted,
                    name: name.clone(),
                    issuer: issuer.clone(),
                    terms: terms.clone(),
                    endings: 0,
                };
            }
            Event::Renamed { name } => self.name.clone_from(name),
            Event::TermsReplaced { terms } => self.terms.clone_from(terms),
            Event::Suspended { .. } => {
                self.status = Status::Suspended;
                self.endings += 1;
            }
            Event::Reactivated => self.status = Status::Trusted,
            Event::Distrusted { .. } => {
                self.status = Status::Distrusted;
                self.endings += 1;
            }
        }
    }
}
