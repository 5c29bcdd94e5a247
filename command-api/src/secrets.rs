//! What is kept of what an event must never carry: sealed, under an id that events name.

use events::{SecretId, TenantId};
use platform::clock;
use platform::db::begin_for;
use platform::problem::Problem;
use platform::secrets::row_of;

use crate::app::App;

impl App {
    /// Seals a secret and keeps it. The row is written before the event that names it; one that is never named is harmless.
    pub(crate) async fn keep_secret(
        &self,
        tenant: TenantId,
        kind: &'static str,
        plain: &[u8],
    ) -> Result<SecretId, Problem> {
        let id: SecretId = clock::new_id();
        let sealed = self.master.seal(&row_of(tenant, id), plain);
        let mut transaction = begin_for(&self.pool, tenant).await?;
        sqlx::query("insert into secrets.secrets (tenant_id, secret_id, kind, sealed) values ($1, $2, $3, $4)")
            .bind(tenant.0)
            .bind(id.0)
            .bind(kind)
            .bind(sealed)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }
}
