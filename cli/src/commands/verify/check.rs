//! The verification itself: gap-free numbers, gap-free streams, and the chain over every byte.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufRead, Read as _};
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use events::TenantId;
use platform::chain;
use serde::Serialize;
use uuid::Uuid;

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
    pub(super) what: String,
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
        if separator == ", " { f.write_str(")") } else { Ok(()) }
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
    reader: Reader,
    line: u64,
    position: i64,
    tenants: BTreeMap<TenantId, Tenant>,
}

/// Reads `source` to its end or to the first fault; only a medium that cannot be read is an error.
pub(super) fn verify(
    mut source: impl BufRead,
    mut check: Check,
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
            reader: Reader::default(),
            line: 0,
            position: 0,
            tenants: BTreeMap::new(),
        }
    }

    /// Checks one line.
    fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.line += 1;
        if let Err(reason) = self.reader.read(line) {
            let what = format!("this is not an event as we write them: {reason}");
            return Err(Fault { line: Some(self.line), what, ..Fault::default() });
        }
        self.tenants.entry(self.reader.event.tenant_id).or_insert_with_key(|id| {
            let of = |head: &&Head| head.tenant.is_none_or(|tenant| tenant == *id);
            Tenant::after(self.after.iter().find(of))
        });
        self.numbers().and_then(|()| self.link()).map_err(|what| self.fault(what))
    }

    /// Names the event in hand.
    fn fault(&self, what: String) -> Fault {
        let event = &self.reader.event;
        Fault {
            line: Some(self.line),
            tenant_id: Some(event.tenant_id),
            tenant_seq: Some(event.tenant_seq),
            position: Some(event.position),
            event_id: Some(event.event_id),
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

    /// The chain after the event is the one that was recorded with it.
    fn link(&mut self) -> Result<(), String> {
        let event = &self.reader.event;
        let Some(tenant) = self.tenants.get_mut(&event.tenant_id) else { return Ok(()) };
        let before: &[u8] = if tenant.seq == 0 { &[] } else { &tenant.chain };
        let chain = chain::link(before, event);
        if event.chain != chain {
            return Err("it was altered: it does not fit the chain".into());
        }
        tenant.chain = chain;
        tenant.seq = event.tenant_seq;
        tenant.events += 1;
        let of_tenant = |head: &&Head| head.tenant.is_none_or(|id| id == event.tenant_id);
        let here = |head: &&Head| head.seq == event.tenant_seq;
        match self.heads.iter().filter(of_tenant).filter(here).find(|head| head.chain != chain) {
            Some(_) => Err("it or an event before it is not the one that --head stands for".into()),
            None => Ok(()),
        }
    }

    /// What only the whole can show: that the expected heads were reached.
    fn end(&self) -> Option<Fault> {
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
                let tenant_seq = Some(last + 1);
                let tenant_id = Some(tenant_id);
                return Some(Fault { tenant_id, tenant_seq, what, ..Fault::default() });
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
