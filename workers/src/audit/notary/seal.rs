//! The notary's key: made at the first start, kept sealed, and named after each log that it signs.

use anyhow::Context as _;
use aws_lc_rs::signature::Ed25519KeyPair;
use platform::db::{self, Role};
use platform::secrets::{MasterKey, NewKey, key_pair, new_key};
use platform::transparency::checkpoint::{Checkpoint, Origin};
use platform::transparency::note::{self, NoteError, VerifierKey};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};

const PLACE: &str = "secrets.notary_keys";

/// What checkpoints are signed and recognised with.
pub(super) struct Seal {
    pair: Ed25519KeyPair,
    /// The public halves of all keys that ever signed.
    known: Vec<[u8; 32]>,
}

impl Seal {
    /// Reads the newest key, or makes the first; whoever calls this leads, so nobody else makes one meanwhile.
    pub(super) async fn load(
        connection: &mut PgConnection,
        master: &MasterKey,
    ) -> anyhow::Result<Self> {
        let mut rows = sqlx::query(KEYS).fetch_all(&mut *connection).await?;
        if rows.is_empty() {
            make(&mut *connection, master).await?;
            rows = sqlx::query(KEYS).fetch_all(&mut *connection).await?;
        }
        let pair = newest(&rows, master)?;
        let mut known = Vec::new();
        for row in &rows {
            known.push(row.try_get::<&[u8], _>(1)?.try_into()?);
        }
        Ok(Self { pair, known })
    }

    /// Signs a checkpoint.
    pub(super) fn sign(&self, checkpoint: &Checkpoint) -> Result<String, NoteError> {
        note::sign(&checkpoint.to_string(), &checkpoint.origin.to_string(), &self.pair)
    }

    /// The text of a note that we signed as the log of `origin`.
    pub(super) fn open<'a>(&self, signed: &'a str, origin: &Origin) -> Result<&'a str, NoteError> {
        let name = origin.to_string();
        let keys = self.known.iter().map(|public| VerifierKey::new(&name, *public));
        note::open(signed, &keys.collect::<Result<Vec<_>, _>>()?)
    }
}

/// The key that signs, for what else is signed in the name of a log; the notary makes it when it first leads.
pub(crate) async fn signing_pair(url: &str, master: &MasterKey) -> anyhow::Result<Ed25519KeyPair> {
    let mut connection = db::connect_alone(url, Role::Notary).await?;
    let rows = sqlx::query(KEYS).fetch_all(&mut connection).await?;
    let pair = newest(&rows, master)?;
    connection.close().await?;
    Ok(pair)
}

fn newest(rows: &[PgRow], master: &MasterKey) -> anyhow::Result<Ed25519KeyPair> {
    let newest = rows.first().context("the notary has no key yet")?;
    let (kid, sealed): (&str, &[u8]) = (newest.try_get(0)?, newest.try_get(2)?);
    key_pair(&master.open(&format!("{PLACE}|{kid}"), sealed)?)
}

async fn make(connection: &mut PgConnection, master: &MasterKey) -> anyhow::Result<()> {
    let NewKey { kid, private, public } = new_key()?;
    sqlx::query(
        "insert into secrets.notary_keys (kid, public_key, private_key) values ($1, $2, $3)",
    )
    .bind(&kid)
    .bind(&public)
    .bind(master.seal(&format!("{PLACE}|{kid}"), &private))
    .execute(connection)
    .await?;
    Ok(())
}

const KEYS: &str = "
    select kid, public_key, private_key from secrets.notary_keys order by created_at desc, kid";
