//! The files of somebody who is forgotten: what is theirs alone is deleted, and what is about other records too stays with those.

use anyhow::ensure;
use events::UserId;
use events::subject::{Subject, SubjectKind};
use serde_json::json;
use uuid::Uuid;

use crate::runtime::{Job, Office};

/// Takes away every file that the user uploaded or that is about them, as the read model has it at a position.
pub(crate) async fn withdraw(
    office: &Office,
    job: &Job,
    (user, position): (UserId, i64),
) -> anyhow::Result<()> {
    let known: Option<i64> = sqlx::query_scalar(
        "select position from read.checkpoints where projection = 'files_files'",
    )
    .fetch_optional(&office.pool)
    .await?;
    ensure!(known >= Some(position), "the read model of files is behind");
    let subject = Subject { kind: SubjectKind::User, id: user.0 }.to_string();
    let mut transaction = platform::db::begin_for(&office.pool, job.tenant_id).await?;
    let files: Vec<Uuid> = sqlx::query_scalar(
        "select file_id from read.files_files
          where tenant_id = $1 and status in ('uploading', 'stored')
            and (uploaded_by = $2 or jsonb_exists(subjects, $3))
          order by file_id",
    )
    .bind(job.tenant_id.0)
    .bind(user.0)
    .bind(subject)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    for file in files {
        let path = format!("/files/{file}/withdraw");
        let body = json!({"user_id": user});
        office.commands.post(job.tenant_id, &path, job.key(&path), &body).await?;
    }
    Ok(())
}
