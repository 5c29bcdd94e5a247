//! What decisions about files lean on: whether a record is there that a file is to be about, and how much room files take.

use events::UserId;
use events::files::file::{self, CONTENT, Command, Facts, File, Room};
use events::settings::configuration::Configuration;
use events::settings::{Key, effective};
use platform::db::begin_for;
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

const MIB: u64 = 1024 * 1024;
/// The key of a claim is content, whose, how many bytes, and the file.
const TAKEN: &str = "
    select coalesce(sum(split_part(key, '/', 3)::numeric) filter (where split_part(key, '/', 2) = $2), 0)::bigint,
           coalesce(sum(split_part(key, '/', 3)::numeric), 0)::bigint
      from log.claims where tenant_id = $3 and namespace = $1";

impl LoadFacts<File> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &File,
        command: &Command,
    ) -> Result<Self, Problem> {
        let mut facts = Self::default();
        match command {
            Command::Link { subject, .. } => {
                facts.subject_exists = sources.has(subject).await?;
            }
            Command::Initiate(initiate) => {
                facts.room = room(sources, initiate.uploaded_by).await?;
            }
            Command::Complete(_) => facts.room = room(sources, state.uploaded_by).await?,
            Command::Refuse(_)
            | Command::Abort
            | Command::Flag { .. }
            | Command::LiftFlag
            | Command::Unlink { .. }
            | Command::RecordDownload { .. }
            | Command::Delete
            | Command::Expire
            | Command::Withdraw { .. } => {}
        }
        Ok(facts)
    }
}

/// Counted from the claims that stored files hold; two that are stored at the same moment do not see each other.
async fn room(sources: &mut Sources<'_>, user: UserId) -> Result<Room, Problem> {
    let tenant = sources.tenant;
    let configuration = sources.get::<Configuration>(&tenant.to_string()).await?.state;
    let most = |key| {
        let mib = effective(key, &configuration, &[]).value.integer().unwrap_or_default();
        u64::try_from(mib).unwrap_or_default().saturating_mul(MIB)
    };
    let mut transaction = begin_for(&sources.app.pool, tenant).await?;
    let (of_user, of_organization): (i64, i64) = sqlx::query_as(TAKEN)
        .bind(CONTENT)
        .bind(user.to_string())
        .bind(tenant.0)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let bytes = |of: i64| u64::try_from(of).unwrap_or_default();
    Ok(file::Room {
        of_user: bytes(of_user),
        user_most: most(Key::FilesUserQuotaMib),
        of_organization: bytes(of_organization),
        organization_most: most(Key::FilesOrganizationQuotaMib),
    })
}
