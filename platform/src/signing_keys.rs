//! The keys that sign access tokens: made and replaced by the processes themselves, revoked by hand.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{PgConnection, PgPool};

use crate::db::locks;
use crate::secrets::{self, MasterKey, NewKey};

/// Every process reads the keys again this often.
pub const REFRESH: Duration = Duration::from_secs(5);
/// Whether a key has been there for so long that every process has read it and will know what it signs: three times [`REFRESH`].
const ANNOUNCED: &str = "created_at < now() - interval '15 seconds'";
/// Whether it is time for the next key (NIST SP 800-57 part 1, 5.3.6, recommends a year or two at most for signing keys).
const AGED: &str = "created_at < now() - interval '30 days'";
/// How long a key lives: past its replacement by more than any token lives that it signed.
const LIFE: &str = "interval '40 days'";
const PLACE: &str = "secrets.signing_keys";

/// A key that signs, opened.
pub(crate) struct Signing {
    pub(crate) kid: String,
    /// As PKCS #8.
    pub(crate) private: Vec<u8>,
}

/// A key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    /// Its name in the header of tokens.
    pub kid: String,
    /// `signs`, `announced` (will sign in a moment), `verifies`, `ended`.
    pub state: String,
    /// When it was made.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub created_at: Timestamp,
    /// From when on nothing that it signed is accepted.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub not_after: Timestamp,
}

/// The public keys in force, by name.
pub(crate) async fn public(pool: &PgPool) -> Result<Vec<(String, Vec<u8>)>, sqlx::Error> {
    let query = "select kid, public_key from secrets.signing_keys where not_after > now()";
    sqlx::query_as(query).fetch_all(pool).await
}

/// The key to sign with now. The first is made here, and each one's successor in time.
pub(crate) async fn signing(pool: &PgPool, master: &MasterKey) -> anyhow::Result<Signing> {
    // Rarely false, and asked often: the lock is for those who make a key.
    let due = format!(
        "select not exists (select from secrets.signing_keys where not_after > now() and not {AGED})"
    );
    if sqlx::query_scalar(&due).fetch_one(pool).await? {
        let mut transaction = pool.begin().await?;
        lock(&mut transaction).await?; // others wait here, and find the key
        if sqlx::query_scalar(&due).fetch_one(&mut *transaction).await? {
            make(&mut transaction, master).await?;
        }
        transaction.commit().await?;
    }
    // The newest that everybody knows; while there is none, the one that has been there for longest.
    let newest = format!(
        "select kid, private_key from secrets.signing_keys where not_after > now()
          order by {ANNOUNCED} desc, case when {ANNOUNCED} then now() - created_at else created_at - now() end limit 1"
    );
    let (kid, sealed): (String, Vec<u8>) = sqlx::query_as(&newest).fetch_one(pool).await?;
    let private = master.open(&format!("{PLACE}|{kid}"), &sealed)?;
    Ok(Signing { kid, private })
}

async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let lock = "select pg_advisory_xact_lock($1)";
    sqlx::query(lock).bind(locks::SIGNING_KEYS).execute(connection).await?;
    Ok(())
}

async fn make(connection: &mut PgConnection, master: &MasterKey) -> anyhow::Result<String> {
    let NewKey { kid, private, public } = secrets::new_key()?;
    let insert = format!(
        "insert into secrets.signing_keys (kid, public_key, private_key, not_after) values ($1, $2, $3, now() + {LIFE})"
    );
    sqlx::query(&insert)
        .bind(&kid)
        .bind(&public)
        .bind(master.seal(&format!("{PLACE}|{kid}"), &private))
        .execute(connection)
        .await?;
    Ok(kid)
}

/// Makes a key ahead of time, which signs as soon as every process knows it; its name.
pub async fn rotate(pool: &PgPool, master: &MasterKey) -> anyhow::Result<String> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    let kid = make(&mut transaction, master).await?;
    transaction.commit().await?;
    Ok(kid)
}

/// Ends a key at once, and with it every token that it signed: within [`REFRESH`] everywhere. Whether there was such a key.
pub async fn revoke(pool: &PgPool, kid: &str) -> Result<bool, sqlx::Error> {
    let end =
        "update secrets.signing_keys set not_after = now() where kid = $1 and not_after > now()";
    Ok(sqlx::query(end).bind(kid).execute(pool).await?.rows_affected() > 0)
}

/// All keys, the newest first.
pub async fn list(pool: &PgPool) -> Result<Vec<Listed>, sqlx::Error> {
    let query = format!(
        "select kid, created_at, not_after,
                case when not_after <= now() then 'ended'
                     when not {ANNOUNCED} then 'announced'
                     when row_number() over (partition by {ANNOUNCED} and not_after > now() order by created_at desc) = 1
                     then 'signs' else 'verifies' end as state
           from secrets.signing_keys order by secrets.signing_keys.created_at desc"
    );
    sqlx::query_as(&query).fetch_all(pool).await
}
