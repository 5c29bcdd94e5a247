//! The picture of a document's first page, as it was uploaded: its bytes are found by what they are, so they never change.

use anyhow::Context as _;
use events::exports::{LOGO_TYPES, check_logo};
use events::files::file::File;
use events::{FileId, TenantId};
use platform::principal::Principal;
use tokio::io::AsyncReadExt as _;

use super::order::Order;
use super::refusal::Refusal;
use super::render::pdf::logo::Logo;
use crate::runtime::Office;

/// Reads the picture that was asked for, if the requester may still read it.
pub(super) async fn read(
    office: &Office,
    tenant: TenantId,
    order: &Order,
) -> Result<Option<Logo>, Refusal> {
    let Some(id) = order.layout.logo else { return Ok(None) };
    let file = office.aggregates.refresh::<File>(tenant, &id.to_string()).await;
    let file = file.map_err(anyhow::Error::from)?.state;
    let requester = Principal::somebody(tenant, order.requested_by);
    office.access.refresh(&requester).await.map_err(anyhow::Error::from)?;
    let standing = office.access.last_known(&requester).await.map_err(anyhow::Error::from)?;
    let readable = office.access.may_read(&requester, standing.as_ref(), &file).await;
    check_logo(&file, readable.map_err(anyhow::Error::from)?)
        .map_err(|unshown| unavailable(&unshown.to_string()))?;
    let Some(content) = &file.content else { return Err(unavailable("is a file without content")) };
    let bytes = bytes(office, tenant, (content.blob_id, content.size_bytes)).await?;
    let logo = tokio::task::spawn_blocking(move || Logo::read(&bytes)).await;
    let logo = logo.context("the reader of pictures panicked")?;
    logo.map(Some).map_err(|unreadable| {
        let types = LOGO_TYPES.join(" or ");
        unavailable(&format!("cannot be read ({unreadable}): upload another of {types}"))
    })
}

fn unavailable(why: &str) -> Refusal {
    Refusal::For("logo_unavailable", format!("layout.logo {why}"))
}

/// As many bytes as were stored; no picture has more than its purpose allows.
async fn bytes(
    office: &Office,
    tenant: TenantId,
    (blob, size_bytes): (FileId, u64),
) -> Result<Vec<u8>, Refusal> {
    let stored = office.files.open_local(tenant, blob).await.map_err(anyhow::Error::from)?;
    let mut bytes = Vec::new();
    let stored = tokio::fs::File::from_std(stored);
    stored.take(size_bytes).read_to_end(&mut bytes).await.map_err(anyhow::Error::from)?;
    Ok(bytes)
}
