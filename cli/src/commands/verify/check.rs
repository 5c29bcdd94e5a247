//! The verification itself: gap-free numbers, gap-free streams, and the chain over every byte.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufRead, Read as _};
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use events::TenantId;
use platform::chain;
use platform::transparency::{self, Hash};
use serde::Serialize;
use uuid::Uuid;

use super::anchor::Anchor;
use super::record::Reader;

/// A line longer than this is no event.
const LINE_MOST_BYTES: u64 = 64 << 20;

/// Where an organisation's chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The organisation; the only one in the file when absent.
    tenant: Option<TenantId>,
    seq: i64,
    chain: [u8; 32],
}

impl FromStr for Head {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.rsplitn(3, ':');
        let (chain, seq) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let tenant = parts.next().map(str::parse).transpose();
        let mut bytes = [0; 32];
        hex::decode_to_slice(chain, &mut bytes).context("CHAIN is not 64 hexadecimal digits")?;
        let seq = seq.parse().context("SEQ is no number")?;
        ensure!(seq > 0, "SEQ counts from 1");
        Ok(Self { tenant: tenant.context("TENANT is no id")?, seq, chain: bytes })
    }
}

/// What was found of one organisation.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) tenant_id: TenantId,
    pub(super) events: u64,
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    /// The chain after the last event, hexadecimal.
    pub(super) chain: String,
}

/// The first thing that is not as it was recorded.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// The line, from 1; nothing at the end of the file.
    pub(super) line: Option<u64>,
    pub(super) tenant_id: Option<TenantId>,
    pub(super) tenant_seq: Option<i64>,
    pub(super) position: Option<i64>,
    pub(super) event_id: Option<Uuid>,
    /// Which of the organisation's events is the first that is not as it was recorded.
    pub(super) first_bad: Option<Span>,
    pub(super) what: String,
}

/// Numbers of events, both included; more than one where it cannot be told more exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    /// Exactly this one.
    pub(super) fn one(number: u64) -> Self {
        Self { from: number, to: number }
    }
}

/// What is wrong with the event in hand.
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) first_bad: Option<Span>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what)?,
            None => write!(f, "at the end: {}", self.what)?,
        }
        let mut separator = " (";
        for (name, value) in [
            ("organisation", self.tenant_id.map(|id| id.to_string())),
            ("event", self.tenant_seq.map(|seq| seq.to_string())),
            ("position", self.position.map(|position| position.to_string())),
            ("id", self.event_id.map(|id| id.to_string())),
        ] {
            if let Some(value) = value {
                write!(f, "{separator}{name} {value}")?;
                separator = ", ";
            }
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        match self.first_bad {
            Some(Span { from, to }) if from == to => write!(f, "; the first bad event is {from}"),
            Some(Span { from, to }) => write!(f, "; the first bad event is one of {from} to {to}"),
            None => Ok(()),
        }
    }
}

/// An organisation so far.
struct Tenant {
    events: u64,
    first_seq: i64,
    seq: i64,
    chain: [u8; 32],
    /// Whether the file has everything from the first event on.
    whole: bool,
    streams: HashMap<String, Versions>,
}

/// The versions of the streams of one type; nearly all are named by UUIDs, which take less memory.
#[derive(Default)]
struct Versions {
    by_uuid: HashMap<Uuid, i64>,
    by_text: HashMap<String, i64>,
}

impl Versions {
    /// Notes a version; the one before, 0 if there was none.
    fn replace(&mut self, id: &str, version: i64) -> i64 {
        match Uuid::try_parse(id) {
            Ok(uuid) => self.by_uuid.insert(uuid, version).unwrap_or_default(),
            Err(_) => match self.by_text.get_mut(id) {
                Some(known) => std::mem::replace(known, version),
                None => self.by_text.insert(id.to_owned(), version).unwrap_or_default(),
            },
        }
    }
}

/// A verification under way.
pub(super) struct Check {
    after: Vec<Head>,
    heads: Vec<Head>,
    anchor: Option<Anchor>,
    reader: Reader,
    line: u64,
    position: i64,
    tenants: BTreeMap<TenantId, Tenant>,
}

/// Reads `source` to its end or to the first fault; only a medium that cannot be read is an error.
pub(super) fn verify(
    mut source: impl BufRead,
    check: &mut Check,
) -> std::io::Result<(Vec<Report>, Option<Fault>)> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if source.by_ref().take(LINE_MOST_BYTES).read_until(b'\n', &mut line)? == 0 {
            let fault = check.end();
            return Ok((check.report(), fault));
        }
        if let Err(fault) = check.take(&line) {
            return Ok((check.report(), Some(fault)));
        }
    }
}

impl Check {
    /// Organisations go on from `after`, or begin with their first event, and lead to `heads`.
    pub(super) fn new(after: &[Head], heads: &[Head]) -> Self {
        Self {
            after: after.to_vec(),
            heads: heads.to_vec(),
            anchor: None,
            reader: Reader::default(),
            line: 0,
            position: 0,
            tenants: BTreeMap::new(),
        }
    }

    /// Compares with checkpoints too; then the replay is that of their organisation alone.
    pub(super) fn against(self, anchor: Anchor) -> Self {
        Self { anchor: Some(anchor), ..self }
    }

    /// How many events were compared with checkpoints.
    pub(super) fn compared(&self) -> u64 {
        self.anchor.as_ref().map_or(0, Anchor::compared)
    }

    /// Checks one line.
    fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.line += 1;
        let only = self.anchor.as_ref().map(Anchor::tenant);
        if let Err(reason) = self.reader.read(line) {
            let what = format!("this is not an event as we write them: {reason}");
            let first_bad = only.map(|tenant| self.next_of(tenant));
            let line = Some(self.line);
            return Err(Fault { line, tenant_id: only, first_bad, what, ..Fault::default() });
        }
        if let Some(tenant) = only.filter(|tenant| *tenant != self.reader.event.tenant_id) {
            let what = format!("it is not of the organisation of the checkpoint, {tenant}");
            return Err(self.fault(Wrong { what, first_bad: Some(self.next_of(tenant)) }));
        }
        self.tenants.entry(self.reader.event.tenant_id).or_insert_with_key(|id| {
            let of = |head: &&Head| head.tenant.is_none_or(|tenant| tenant == *id);
            Tenant::after(self.after.iter().find(of))
        });
        let next = self.next_of(self.reader.event.tenant_id);
        let itself = |what| Wrong { what, first_bad: Some(next) };
        let checked = match self.numbers().map_err(itself) {
            Ok(()) => self.link().and_then(|leaf| match &mut self.anchor {
                Some(anchor) => anchor.take(leaf),
                None => Ok(()),
            }),
            Err(wrong) => Err(wrong),
        };
        checked.map_err(|wrong| self.fault(wrong))
    }

    /// The event that an organisation's next line should be: all before it were found to be right.
    fn next_of(&self, tenant: TenantId) -> Span {
        let last = self.tenants.get(&tenant).map_or(0, |tenant| tenant.seq);
        Span::one(last.cast_unsigned().saturating_add(1))
    }

    /// Names the event in hand.
    fn fault(&self, Wrong { what, first_bad }: Wrong) -> Fault {
        let event = &self.reader.event;
        Fault {
            line: Some(self.line),
            tenant_id: Some(event.tenant_id),
            tenant_seq: Some(event.tenant_seq),
            position: Some(event.position),
            event_id: Some(event.event_id),
            first_bad,
            what,
        }
    }

    /// Positions rise, an organisation's numbers and a stream's versions have no gap.
    fn numbers(&mut self) -> Result<(), String> {
        let event = &self.reader.event;
        let Some(tenant) = self.tenants.get_mut(&event.tenant_id) else { return Ok(()) };
        let (found, expected) = (event.tenant_seq, tenant.seq.saturating_add(1));
        if found > expected {
            let last = found - 1;
            return Err(match last - expected {
                0 => format!("event {expected} is missing before this one"),
                _ => format!("events {expected} to {last} are missing before this one"),
            });
        }
        if found < expected {
            return Err(format!("it stands where event {expected} should, or was inserted"));
        }
        if event.position <= self.position {
            return Err(format!("its position is not after {}", self.position));
        }
        self.position = event.position;
        let versions = match tenant.streams.get_mut(&event.aggregate_type) {
            Some(versions) => versions,
            None => tenant.streams.entry(event.aggregate_type.clone()).or_default(),
        };
        let before = versions.replace(&event.aggregate_id, event.sequence);
        // A stream that began in an earlier file goes on at any version.
        let follows = before.checked_add(1) == Some(event.sequence)
            || (before == 0 && !tenant.whole && event.sequence > 0);
        if follows {
            return Ok(());
        }
        Err(format!("version {} of its stream follows version {before}", event.sequence))
    }

    /// The chain after the event is the one that was recorded with it; the event's leaf of the tree.
    fn link(&mut self) -> Result<Hash, Wrong> {
        let event = &self.reader.event;
        let covered = chain::covered(event);
        let leaf = transparency::leaf(event.position, &covered, &event.chain);
        let Some(tenant) = self.tenants.get_mut(&event.tenant_id) else { return Ok(leaf) };
        let before: &[u8] = if tenant.seq == 0 { &[] } else { &tenant.chain };
        let chain = chain::extend(before, &covered);
        let number = event.tenant_seq.cast_unsigned();
        if event.chain != chain {
            let what = "it was altered: it does not fit the chain".into();
            return Err(Wrong { what, first_bad: Some(Span::one(number)) });
        }
        tenant.chain = chain;
        tenant.seq = event.tenant_seq;
        tenant.events += 1;
        let of_tenant = |head: &&Head| head.tenant.is_none_or(|id| id == event.tenant_id);
        let here = |head: &&Head| head.seq == event.tenant_seq;
        match self.heads.iter().filter(of_tenant).filter(here).find(|head| head.chain != chain) {
            Some(_) => {
                let what = "it or an event before it is not the one that --head stands for".into();
                let from = tenant.first_seq.cast_unsigned();
                Err(Wrong { what, first_bad: Some(Span { from, to: number }) })
            }
            None => Ok(leaf),
        }
    }

    /// What only the whole can show: that the expected heads and checkpoints were reached.
    fn end(&self) -> Option<Fault> {
        if let Some(anchor) = &self.anchor
            && anchor.compared() < anchor.size()
        {
            let first_bad = Span::one(anchor.compared() + 1);
            return Some(Fault {
                tenant_id: Some(anchor.tenant()),
                tenant_seq: Some(first_bad.from.cast_signed()),
                first_bad: Some(first_bad),
                what: format!("events {} to {} are missing", first_bad.from, anchor.size()),
                ..Fault::default()
            });
        }
        for head in &self.heads {
            let tenant_id = match head.tenant {
                Some(tenant) => tenant,
                None if self.tenants.len() > 1 => {
                    let what = "--head must name the organisation: the file has several".into();
                    return Some(Fault { what, ..Fault::default() });
                }
                None => self.tenants.keys().next().copied().unwrap_or_default(),
            };
            let last = self.tenants.get(&tenant_id).map_or(0, |tenant| tenant.seq);
            if last < head.seq {
                let what = format!("events {} to {} are missing", last + 1, head.seq);
                let (tenant_id, tenant_seq) = (Some(tenant_id), Some(last + 1));
                let first_bad = Some(Span::one((last + 1).cast_unsigned()));
                return Some(Fault { tenant_id, tenant_seq, first_bad, what, ..Fault::default() });
            }
        }
        None
    }

    fn report(&self) -> Vec<Report> {
        let report = |(id, tenant): (&TenantId, &Tenant)| Report {
            tenant_id: *id,
            events: tenant.events,
            first_seq: tenant.first_seq,
            last_seq: tenant.seq,
            chain: hex::encode(tenant.chain),
        };
        self.tenants.iter().map(report).collect()
    }
}

impl Tenant {
    fn after(head: Option<&Head>) -> Self {
        let (seq, chain) = head.map_or((0, [0; 32]), |head| (head.seq, head.chain));
        let (first_seq, whole) = (seq.saturating_add(1), head.is_none());
        Self { events: 0, first_seq, seq, chain, whole, streams: HashMap::new() }
    }
}
