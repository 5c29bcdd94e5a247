//! What is said of a finished file, signed in the name of the organisation's log.

use events::exports::export::Format;
use platform::files::StoredFile;
use platform::transparency::checkpoint::Origin;
use platform::transparency::manifest::{File, Made as Look, Manifest, Question, Signed};

use super::make::Made;
use crate::audit::notary;
use crate::runtime::{Job, Office};

/// The note of a file that is stored.
pub(super) async fn signed(
    office: &Office,
    job: &Job,
    made: &Made,
    stored: &StoredFile,
) -> anyhow::Result<String> {
    let (epoch, checkpoint) = checkpoint(office, job).await?;
    let order = &made.order;
    let manifest = Manifest {
        export_id: job.subject_id.parse()?,
        tenant_id: job.tenant_id,
        organization: made.organization.clone(),
        dataset: order.dataset.clone(),
        question: Question {
            columns: order.columns.clone(),
            filter: order.filter.clone(),
            sort: order.sort.clone(),
            units: made.plan.units.clone(),
            since: made.since.clone(),
        },
        made: look(made),
        requested_by: order.requested_by,
        request_id: order.request_id.clone(),
        requested_at: order.requested_at,
        as_of: made.as_of.clone(),
        checkpoint,
        file: File {
            name: made.name.clone(),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256.clone(),
            rows: made.rendered.rows,
            rows_left_out: made.rendered.rows_left_out,
            parts: made.rendered.parts,
            cut_cells: made.rendered.cut_cells,
            warnings: made.rendered.warnings.iter().map(|code| (*code).to_owned()).collect(),
        },
    };
    let log = Origin::new(&office.issuer, job.tenant_id, epoch);
    let pair = notary::signing_pair(&office.database_url, &office.master).await?;
    Ok(manifest.sign(&log, &pair)?)
}

fn look(made: &Made) -> Look {
    let order = &made.order;
    let (options, format) = (&order.options, order.format);
    Look {
        format,
        style: options.style(format),
        dialect: (format == Format::Csv).then(|| options.dialect()),
        headings: options.headings(format),
        labels: options.labels.clone(),
        cover: options.cover,
        totals: options.totals.clone(),
        limit_policy: options.limit_policy(format),
        title: order.title.clone(),
        locale: order.locale.clone(),
        time_zone: order.time_zone.clone(),
    }
}

/// The epoch of the log, and what is signed of the organisation's.
async fn checkpoint(office: &Office, job: &Job) -> Result<(i32, Option<Signed>), sqlx::Error> {
    let mut transaction = platform::db::begin_for(&office.pool, job.tenant_id).await?;
    let epoch: i32 =
        sqlx::query_scalar("select epoch from log.head").fetch_one(&mut *transaction).await?;
    let found: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "select size, position, root from audit.checkpoints
          where tenant_id = $1 and epoch = $2 order by size desc limit 1",
    )
    .bind(job.tenant_id.0)
    .bind(epoch)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let signed = |(size, position, root)| Signed { size, position, root: hex::encode(root) };
    Ok((epoch, found.map(signed)))
}
