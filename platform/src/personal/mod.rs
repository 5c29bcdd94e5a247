//! Personal data in events: sealed under a key of the person it is about, opened where somebody may see it, gone with the key.
//!
//! A sealed text is a text itself, `sealed.v1.<person>.<base64url of nonce and AES-256-GCM ciphertext>`, so that stored
//! shapes, hashes and checkpoints know nothing of it, and hold when the key is gone.

mod ledger;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use events::TenantId;
use events::envelope::Encoded;
use events::personal::{ERASED, IN_METADATA, METADATA, Subject, of};
use moka::sync::Cache;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::db::begin_for;
use crate::secrets::{MasterKey, SealError, random};

pub use ledger::{Erasure, Ledger};
pub use token::{Key, is_sealed, may_be_sealed};
use token::{Place, Token, member_before, member_values, replaced, subjects, tokens};

/// How long a key is remembered: within this an erased person is forgotten everywhere.
const KEPT: Duration = Duration::from_secs(4);
const KEPT_KEYS: u64 = 100_000;
/// What is sealed around events is sealed once for a caller's address and program, and used again.
const KEPT_CALLERS: u64 = 50_000;
const CALLER_KEPT: Duration = Duration::from_mins(10);

/// Why something personal could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    /// The keys could not be read or made.
    #[error("the keys of personal data could not be reached")]
    Database(#[from] sqlx::Error),
    /// A key does not open.
    #[error("a key of personal data does not open")]
    Key(#[from] SealError),
}

/// A person, in their organisation.
type Person = (TenantId, Uuid);

/// The keys of persons at hand; those who are erased have none.
pub type Keys = HashMap<Person, Option<Key>>;

/// The keys of persons whom an append begins to tell of. They are kept with its events or not at all, so until then nothing else
/// may be sealed under them.
#[derive(Default)]
pub struct NewKeys(Vec<NewKey>);

struct NewKey {
    person: Person,
    key: Key,
    sealed: Vec<u8>,
}

impl NewKeys {
    /// Each person and their key as its row will hold it.
    pub fn rows(&self) -> impl Iterator<Item = (Uuid, &[u8])> {
        self.0.iter().map(|new| (new.person.1, new.sealed.as_slice()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, person: Person) -> Option<&Key> {
        self.0.iter().find(|new| new.person == person).map(|new| &new.key)
    }
}

/// What seals and opens personal data; clones share what they remember.
#[derive(Clone)]
pub struct Personal {
    master: MasterKey,
    kept: Cache<Person, Option<Key>>,
    callers: Cache<(Person, &'static str, String), String>,
}

impl Personal {
    /// Under the installation's master key.
    pub fn new(master: MasterKey) -> Self {
        let kept = Cache::builder().max_capacity(KEPT_KEYS).time_to_live(KEPT).build();
        let callers = Cache::builder().max_capacity(KEPT_CALLERS).time_to_live(CALLER_KEPT);
        Self { master, kept, callers: callers.build() }
    }

    /// The keys of everybody whom these texts have something sealed of, in one question at most.
    pub async fn keys<'a>(
        &self,
        connection: &mut PgConnection,
        texts: impl IntoIterator<Item = (TenantId, &'a str)>,
    ) -> Result<Keys, PersonalError> {
        let mut keys = self.remembered(texts);
        self.look_up(connection, &mut keys.0, &keys.1).await?;
        Ok(keys.0)
    }

    /// The keys that are remembered, and whose are not.
    fn remembered<'a>(
        &self,
        texts: impl IntoIterator<Item = (TenantId, &'a str)>,
    ) -> (Keys, Vec<Person>) {
        let (mut keys, mut missing) = (Keys::new(), Vec::new());
        for (tenant, text) in texts {
            for subject in subjects(text) {
                let person = (tenant, subject);
                if keys.contains_key(&person) {
                    continue;
                }
                let known = self.kept.get(&person);
                if known.is_none() {
                    missing.push(person);
                }
                keys.insert(person, known.flatten());
            }
        }
        (keys, missing)
    }

    /// [`Self::look_up`] in a transaction of its own, under the rights of `tenant`.
    async fn look_up_alone(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        keys: &mut Keys,
        missing: &[Person],
    ) -> Result<(), PersonalError> {
        let mut transaction = begin_for(pool, tenant).await?;
        self.look_up(&mut transaction, keys, missing).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn look_up(
        &self,
        connection: &mut PgConnection,
        keys: &mut Keys,
        missing: &[Person],
    ) -> Result<(), PersonalError> {
        if missing.is_empty() {
            return Ok(());
        }
        let (tenants, subjects): (Vec<Uuid>, Vec<Uuid>) =
            missing.iter().map(|(tenant, subject)| (tenant.0, *subject)).unzip();
        let rows: Vec<(Uuid, Uuid, Vec<u8>)> = sqlx::query_as(
            "select k.tenant_id, k.subject_id, k.sealed
               from unnest($1::uuid[], $2::uuid[]) w (tenant_id, subject_id)
               join secrets.subject_keys k using (tenant_id, subject_id)",
        )
        .bind(tenants)
        .bind(subjects)
        .fetch_all(connection)
        .await?;
        for (tenant, subject, sealed) in rows {
            let person = (TenantId(tenant), subject);
            keys.insert(person, Some(self.unlocked(person, &sealed)?));
        }
        for person in missing {
            self.kept.insert(*person, keys.get(person).cloned().flatten());
        }
        Ok(())
    }

    /// A key as its row holds it.
    pub fn unlocked(&self, person: (TenantId, Uuid), sealed: &[u8]) -> Result<Key, SealError> {
        let bytes = self.master.open(&key_place(person), sealed)?;
        bytes.try_into().map(Key::new).map_err(|_| SealError::Open)
    }

    /// The stored payloads of events of one organisation with what is sealed in them opened.
    pub async fn open_events(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        payloads: &mut [&mut String],
    ) -> Result<(), PersonalError> {
        let texts = payloads.iter().map(|payload| (tenant, payload.as_str()));
        let Some(keys) = self.keys_for(pool, tenant, texts).await? else { return Ok(()) };
        for payload in payloads {
            if let Cow::Owned(opened) = open_event(&keys, tenant, payload) {
                **payload = opened;
            }
        }
        Ok(())
    }

    /// Finished JSON of one organisation with what is sealed in it opened, wherever it comes from.
    pub async fn open_json<'a>(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        text: &'a str,
    ) -> Result<Cow<'a, str>, PersonalError> {
        let Some(keys) = self.keys_for(pool, tenant, [(tenant, text)]).await? else {
            return Ok(Cow::Borrowed(text));
        };
        Ok(open_json(&keys, tenant, text))
    }

    /// The keys of everybody whom these texts of one organisation have something sealed of.
    pub async fn keys_of<'a>(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Keys, PersonalError> {
        let texts = texts.into_iter().map(|text| (tenant, text));
        Ok(self.keys_for(pool, tenant, texts).await?.unwrap_or_default())
    }

    /// The keys for texts of one organisation; nothing when they have nothing sealed.
    async fn keys_for<'a>(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        texts: impl IntoIterator<Item = (TenantId, &'a str)>,
    ) -> Result<Option<Keys>, PersonalError> {
        let (mut keys, missing) = self.remembered(texts);
        if !missing.is_empty() {
            self.look_up_alone(pool, tenant, &mut keys, &missing).await?;
        }
        Ok(Some(keys).filter(|keys| !keys.is_empty()))
    }

    /// Seals what is personal in an event that is about to be stored.
    pub async fn seal_event(
        &self,
        pool: &PgPool,
        (tenant, stream): (TenantId, &str),
        event: &mut Encoded,
    ) -> Result<(), PersonalError> {
        let Some((personal, subject)) = personal_in(stream, event) else { return Ok(()) };
        let key = self.key(pool, (tenant, subject)).await?;
        seal_members(&key, personal, (tenant, subject), event);
        Ok(())
    }

    /// The same for an event of a stream that begins: if it is about the person whose stream it is, nobody has asked for their
    /// key before, so it is made here, to be kept with the event.
    pub async fn seal_first_event(
        &self,
        pool: &PgPool,
        (tenant, stream): (TenantId, &str),
        event: &mut Encoded,
        new: &mut NewKeys,
    ) -> Result<(), PersonalError> {
        let Some((personal, subject)) = personal_in(stream, event) else { return Ok(()) };
        let person = (tenant, subject);
        let is_their_stream = matches!(personal.subject, Subject::Stream);
        let key = match new.get(person) {
            Some(key) => key.clone(),
            None if is_their_stream && self.kept.get(&person).flatten().is_none() => {
                self.make(person, new)?
            }
            None => self.key(pool, person).await?,
        };
        seal_members(&key, personal, person, event);
        Ok(())
    }

    fn make(&self, person: Person, new: &mut NewKeys) -> Result<Key, SealError> {
        let sealed = self.master.seal(&key_place(person), &random::<32>());
        let key = self.unlocked(person, &sealed)?;
        new.0.push(NewKey { person, key: key.clone(), sealed });
        Ok(key)
    }

    /// Remembers keys that were kept with their append.
    pub fn kept_with_append(&self, new: NewKeys) {
        for NewKey { person, key, .. } in new.0 {
            self.kept.insert(person, Some(key));
        }
    }

    /// Looks up whether somebody else made keys for the same persons meanwhile, and remembers those.
    pub async fn look_again(
        &self,
        pool: &PgPool,
        tenant: TenantId,
        new: &NewKeys,
    ) -> Result<(), PersonalError> {
        let persons: Vec<Person> = new.0.iter().map(|new| new.person).collect();
        self.look_up_alone(pool, tenant, &mut Keys::new(), &persons).await
    }

    /// Seals the address and the program in the metadata of events, as of `person`. The hot path of every command: after
    /// the first time it is a look at what is remembered.
    pub async fn seal_metadata(
        &self,
        pool: &PgPool,
        person: (TenantId, Uuid),
        metadata: &mut String,
        new: &NewKeys,
    ) -> Result<(), PersonalError> {
        let (tenant, subject) = person;
        for member in IN_METADATA {
            let Some((range, value)) = member_values(metadata, member).next() else { continue };
            let place = Place { tenant, subject, of: METADATA, member };
            let remembered = (person, *member, value.into_owned());
            let sealed = if let Some(key) = new.get(person) {
                key.seal(&place, &remembered.2)
            } else if let Some(sealed) = self.callers.get(&remembered) {
                sealed
            } else {
                let sealed = self.key(pool, person).await?.seal(&place, &remembered.2);
                self.callers.insert(remembered, sealed.clone());
                sealed
            };
            metadata.replace_range(range, &sealed);
        }
        Ok(())
    }

    /// What is kept of a text about a person that is only to be known again: a digest under a key of their own, in hexadecimal
    /// digits. It tells nobody what the text was, and nothing at all once the key is gone.
    pub async fn digest(
        &self,
        pool: &PgPool,
        person: (TenantId, Uuid),
        (label, text): (&str, &str),
    ) -> Result<String, PersonalError> {
        Ok(self.key(pool, person).await?.digest(label, text))
    }

    /// A person's key, made when there is none.
    async fn key(&self, pool: &PgPool, person: Person) -> Result<Key, PersonalError> {
        if let Some(Some(key)) = self.kept.get(&person) {
            return Ok(key);
        }
        let (tenant, subject) = person;
        let made = self.master.seal(&key_place(person), &random::<32>());
        // One round trip, for it stands before the first command of everybody.
        let sealed: Vec<u8> = sqlx::query_scalar("select secrets.subject_key($1, $2, $3)")
            .bind(tenant.0)
            .bind(subject)
            .bind(made)
            .fetch_one(pool)
            .await?;
        let key = self.unlocked(person, &sealed)?;
        self.kept.insert(person, Some(key.clone()));
        Ok(key)
    }

    /// Deletes a person's key, which forgets whatever was sealed under it.
    pub async fn shred(
        &self,
        pool: &PgPool,
        person: (TenantId, Uuid),
    ) -> Result<(), PersonalError> {
        let (tenant, subject) = person;
        let mut transaction = begin_for(pool, tenant).await?;
        sqlx::query("delete from secrets.subject_keys where tenant_id = $1 and subject_id = $2")
            .bind(tenant.0)
            .bind(subject)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.kept.insert(person, None);
        Ok(())
    }
}

/// What is personal in an event, and about whom; nothing where nothing is.
fn personal_in(
    stream: &str,
    event: &Encoded,
) -> Option<(&'static events::personal::Personal, Uuid)> {
    let personal = of(&event.event_type)?;
    let subject = match personal.subject {
        Subject::Stream => Uuid::parse_str(stream).ok(),
        Subject::Member(member) => member_values(&event.payload, member)
            .find_map(|(_, value)| Uuid::parse_str(&value).ok()),
    };
    let has_any = |member: &&str| member_values(&event.payload, member).next().is_some();
    subject.filter(|_| personal.members.iter().any(has_any)).map(|subject| (personal, subject))
}

fn seal_members(
    key: &Key,
    personal: &events::personal::Personal,
    (tenant, subject): Person,
    event: &mut Encoded,
) {
    for member in personal.members {
        let place = Place { tenant, subject, of: &event.event_type, member };
        if let Some(sealed) = sealed_member(&event.payload, member, |text| key.seal(&place, text)) {
            event.payload = sealed;
        }
    }
}

fn key_place((tenant, subject): Person) -> String {
    format!("{tenant}|secrets.subject_keys|{subject}")
}

/// A payload with the texts of a member sealed; nothing when it has none.
fn sealed_member(text: &str, member: &str, seal: impl Fn(&str) -> String) -> Option<String> {
    let found: Vec<_> = member_values(text, member).collect();
    if found.is_empty() {
        return None;
    }
    Some(replaced(text, found.iter().map(|(range, value)| (range.clone(), seal(value)))))
}

/// A stored payload with what is sealed in it opened, each text only where it was sealed.
pub fn open_event<'a>(keys: &Keys, tenant: TenantId, payload: &'a str) -> Cow<'a, str> {
    let of = events::envelope::stored_type(payload).unwrap_or_default();
    opened(payload, |token| {
        let subject = token.subject;
        let Some(key) = keys.get(&(tenant, subject))? else { return Some(ERASED.to_owned()) };
        let member = member_before(payload, token.range.start)?;
        Some(escaped(&key.open(&Place { tenant, subject, of, member }, token.body)?))
    })
}

/// Whether any of what is sealed in a text belongs to somebody who is erased: to whom there is no key, that is.
pub fn is_of_erased(keys: &Keys, tenant: TenantId, text: &str) -> bool {
    subjects(text).any(|subject| keys.get(&(tenant, subject)).is_none_or(Option::is_none))
}

/// Any JSON with what is sealed in it opened: where it was sealed is tried out, as a finished answer no longer says.
pub fn open_json<'a>(keys: &Keys, tenant: TenantId, json: &'a str) -> Cow<'a, str> {
    opened(json, |token| Some(escaped(&anywhere(keys, tenant, token)?)))
}

/// The same for a text that stands by itself.
pub fn open_text<'a>(keys: &Keys, tenant: TenantId, text: &'a str) -> Cow<'a, str> {
    opened(text, |token| anywhere(keys, tenant, token))
}

fn anywhere(keys: &Keys, tenant: TenantId, token: &Token<'_>) -> Option<String> {
    let Some(key) = keys.get(&(tenant, token.subject))? else { return Some(ERASED.to_owned()) };
    let mut places = events::personal::places().iter();
    let place = |of, member| Place { tenant, subject: token.subject, of, member };
    places.find_map(|(of, member)| key.open(&place(of, member), token.body))
}

fn opened(text: &str, open: impl Fn(&Token<'_>) -> Option<String>) -> Cow<'_, str> {
    let with: Vec<_> =
        tokens(text).filter_map(|token| Some((token.range.clone(), open(&token)?))).collect();
    if with.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replaced(text, with)) }
}

/// A text as it stands between quotes in JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}
