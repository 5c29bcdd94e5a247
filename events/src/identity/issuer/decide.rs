//! The rules of an issuer.

use super::{Algorithm, Change, Command, Event, Issuer, Mapping, Status, Suspend, Terms, Trust};
use crate::address::{is_address, is_domain};
use crate::aggregate::{Class, Context, Decider};
use crate::lists::repeats;
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest name.
pub const NAME_MAX_CHARS: usize = 200;
/// Longest address of an issuer or its keys.
pub const URL_MAX_BYTES: usize = 512;
/// Most names that we have at an issuer.
pub const AUDIENCES_MAX_COUNT: usize = 8;
/// Longest such name.
pub const AUDIENCE_MAX_BYTES: usize = 255;
/// Most domains that an issuer speaks for.
pub const DOMAINS_MAX_COUNT: usize = 32;
/// Longest reason of a suspension.
pub const REASON_MAX_CHARS: usize = 500;

/// What a decision on an issuer needs to know of the installation and the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Whether issuers may be on this machine and speak without TLS: for development only.
    pub loopback: bool,
    /// Whether the caller may do everything there is in the organisation.
    pub everything: bool,
}

/// Why an issuer refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "ISSUER_")]
pub enum Rejection {
    /// There is no such issuer.
    #[error("there is no such issuer: trust it first")]
    Unknown,
    /// The issuer exists already.
    #[error("the issuer exists already: change it, or trust another")]
    Exists,
    /// The issuer is not trusted any more.
    #[error("the issuer is distrusted for good: trust it anew")]
    Distrusted,
    /// The caller could become anybody.
    #[error("an issuer's word lets in anybody: ask somebody who may do everything")]
    OutOfReach,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The address of the issuer cannot be used.
    #[error(
        "issuer is not an https address of a host by its name, without query and fragment: copy it from the `iss` of a token"
    )]
    UrlInvalid,
    /// The address of the keys cannot be used.
    #[error(
        "jwks_uri is not an https address of a host by its name: leave it out to have it discovered"
    )]
    JwksUriInvalid,
    /// The audiences cannot be used.
    #[error(
        "audiences must be 1 to {AUDIENCES_MAX_COUNT} different printable texts: name what the issuer calls us, mostly a client id"
    )]
    AudiencesInvalid,
    /// The algorithms cannot be used.
    #[error("algorithms must be named, each once: name those that the issuer signs with")]
    AlgorithmsInvalid,
    /// The domains cannot be used.
    #[error(
        "email_domains must be at most {DOMAINS_MAX_COUNT} different domains: write them like example.org"
    )]
    DomainsInvalid,
    /// Anybody could become a user.
    #[error(
        "joins needs the mapping verified_email and email_domains: name the domains whose people may join"
    )]
    JoinsAnybody,
    /// The reason cannot be used.
    #[error("reason {0}")]
    ReasonInvalid(Fault),
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Absent,
            Self::Exists | Self::Distrusted => Class::Conflict,
            Self::OutOfReach => Class::Forbidden,
            Self::NameInvalid(_)
            | Self::UrlInvalid
            | Self::JwksUriInvalid
            | Self::AudiencesInvalid
            | Self::AlgorithmsInvalid
            | Self::DomainsInvalid
            | Self::JoinsAnybody
            | Self::ReasonInvalid(_) => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::UrlInvalid => Some("/issuer"),
            Self::JwksUriInvalid => Some("/jwks_uri"),
            Self::AudiencesInvalid => Some("/audiences"),
            Self::AlgorithmsInvalid => Some("/algorithms"),
            Self::DomainsInvalid => Some("/email_domains"),
            Self::JoinsAnybody => Some("/joins"),
            Self::ReasonInvalid(_) => Some("/reason"),
            Self::Unknown | Self::Exists | Self::Distrusted | Self::OutOfReach => None,
        }
    }
}

impl Decider for Issuer {
    const TYPE: &'static str = "identity.issuer";
    const MODULE: Module = Module::Identity;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        _: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => match command {
                Command::Trust(trust) => begin(trust, *facts),
                Command::Change(_)
                | Command::Suspend(_)
                | Command::Reactivate
                | Command::Distrust => Err(Rejection::Unknown),
            },
            Status::Trusted => match command {
                Command::Trust(_) => Err(Rejection::Exists),
                Command::Change(change) => self.change(change, *facts),
                Command::Suspend(suspend) => suspended(&suspend),
                Command::Reactivate => Ok(vec![]),
                Command::Distrust => Ok(self.distrusted()),
            },
            Status::Suspended => match command {
                Command::Trust(_) => Err(Rejection::Exists),
                Command::Change(change) => self.change(change, *facts),
                Command::Suspend(_) => Ok(vec![]),
                Command::Reactivate => {
                    facts.in_reach()?;
                    Ok(vec![Event::Reactivated])
                }
                Command::Distrust => Ok(self.distrusted()),
            },
            Status::Distrusted => match command {
                Command::Trust(_) => Err(Rejection::Exists),
                Command::Change(_) | Command::Suspend(_) | Command::Reactivate => {
                    Err(Rejection::Distrusted)
                }
                Command::Distrust => Ok(vec![]),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Facts {
    /// Whoever says whose word counts, and with which keys, can have it said of anybody: nobody does who could not do all that
    /// anyhow.
    fn in_reach(self) -> Result<(), Rejection> {
        if self.everything { Ok(()) } else { Err(Rejection::OutOfReach) }
    }
}

fn begin(trust: Trust, facts: Facts) -> Result<Vec<Event>, Rejection> {
    facts.in_reach()?;
    let name = name(&trust.name)?;
    let issuer = trust.issuer;
    let is_plain = !issuer.contains(['?', '#']);
    if !is_plain || !is_issuers(&issuer, facts) {
        return Err(Rejection::UrlInvalid);
    }
    let terms = Terms {
        audiences: trust.audiences,
        algorithms: trust.algorithms,
        jwks_uri: trust.jwks_uri,
        mapping: trust.mapping,
        email_domains: trust.email_domains,
        joins: trust.joins,
    };
    Ok(vec![Event::Trusted { name, issuer, terms: checked(terms, facts)? }])
}

fn suspended(suspend: &Suspend) -> Result<Vec<Event>, Rejection> {
    let reason = text::lines(&suspend.reason, REASON_MAX_CHARS);
    Ok(vec![Event::Suspended { reason: reason.map_err(Rejection::ReasonInvalid)? }])
}

impl Issuer {
    fn distrusted(&self) -> Vec<Event> {
        vec![Event::Distrusted { issuer: self.issuer.clone() }]
    }

    fn change(&self, change: Change, facts: Facts) -> Result<Vec<Event>, Rejection> {
        facts.in_reach()?;
        let mut events = Vec::new();
        if let Some(name) = change.name.as_deref().map(name).transpose()?
            && name != self.name
        {
            events.push(Event::Renamed { name });
        }
        let now = self.terms.clone();
        let jwks_uri = match change.jwks_uri {
            Some(uri) => Some(uri).filter(|uri| !uri.is_empty()),
            None => now.jwks_uri,
        };
        let terms = Terms {
            audiences: change.audiences.unwrap_or(now.audiences),
            algorithms: change.algorithms.unwrap_or(now.algorithms),
            jwks_uri,
            mapping: change.mapping.unwrap_or(now.mapping),
            email_domains: change.email_domains.unwrap_or(now.email_domains),
            joins: change.joins.unwrap_or(now.joins),
        };
        let terms = checked(terms, facts)?;
        if terms != self.terms {
            events.push(Event::TermsReplaced { terms });
        }
        Ok(events)
    }
}

fn name(name: &str) -> Result<String, Rejection> {
    text::line(name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}

fn checked(terms: Terms, facts: Facts) -> Result<Terms, Rejection> {
    let is_audience = |audience: &String| {
        let printable = audience.bytes().all(|byte| byte.is_ascii_graphic());
        (1..=AUDIENCE_MAX_BYTES).contains(&audience.len()) && printable
    };
    let count = (1..=AUDIENCES_MAX_COUNT).contains(&terms.audiences.len());
    if !count || !terms.audiences.iter().all(is_audience) || repeats(&terms.audiences) {
        return Err(Rejection::AudiencesInvalid);
    }
    let known = <Algorithm as strum::VariantArray>::VARIANTS.len();
    if !(1..=known).contains(&terms.algorithms.len()) || repeats(&terms.algorithms) {
        return Err(Rejection::AlgorithmsInvalid);
    }
    if terms.jwks_uri.as_ref().is_some_and(|uri| uri.contains('#') || !is_issuers(uri, facts)) {
        return Err(Rejection::JwksUriInvalid);
    }
    let email_domains: Vec<String> =
        terms.email_domains.iter().map(|domain| domain.trim().to_ascii_lowercase()).collect();
    let count = email_domains.len() <= DOMAINS_MAX_COUNT;
    if !count || !email_domains.iter().all(|it| is_domain(it)) || repeats(&email_domains) {
        return Err(Rejection::DomainsInvalid);
    }
    let is_bounded = terms.mapping == Mapping::VerifiedEmail && !email_domains.is_empty();
    if terms.joins && !is_bounded {
        return Err(Rejection::JoinsAnybody);
    }
    Ok(Terms { email_domains, ..terms })
}

fn is_issuers(url: &str, facts: Facts) -> bool {
    url.len() <= URL_MAX_BYTES && is_address(url, facts.loopback)
}
