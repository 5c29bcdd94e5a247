//! What a file shall be: as it was asked for, and as far as whoever asked may see it now.

use events::exports::Layout;
use events::exports::export::{Event, Format, Options, Sort};
use events::identity::user;
use events::{ApiKeyId, Permission, TenantId, UnitId, UserId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::access::{Places, Standing};
use platform::api_keys::ApiKeys;
use platform::dataset::{self, Dataset, Query, Refused};
use platform::principal::Principal;

use super::refusal::Refusal;
use crate::runtime::{Job, Office};

/// What the file shall be: the first event of the export.
pub(super) struct Order {
    pub(super) format: Format,
    pub(super) dataset: String,
    pub(super) columns: Vec<String>,
    pub(super) filter: Option<String>,
    pub(super) sort: Vec<Sort>,
    pub(super) title: Option<String>,
    pub(super) locale: String,
    pub(super) time_zone: String,
    pub(super) requested_by: UserId,
    pub(super) layout: Layout,
    pub(super) options: Options,
    /// When it was asked for; `now` in the filter is this moment, whenever the file is made.
    pub(super) requested_at: Timestamp,
    /// The request, as the audit trail has it.
    pub(super) request_id: Option<String>,
    /// Where the request stands in the log; rows are never older.
    pub(super) position: i64,
    /// The API key by which it was asked for: what that may not see is not in the file.
    api_key: Option<ApiKeyId>,
}

impl Order {
    pub(super) async fn read(office: &Office, job: &Job) -> anyhow::Result<Self> {
        let first: First = sqlx::query_as(
            "select payload::text, position, recorded_at, metadata::jsonb ->> 'api_key_id' as api_key_id,
                    metadata::jsonb ->> 'request_id' as request_id
               from log.events
              where tenant_id = $1 and aggregate_type = 'exports.export' and aggregate_id = $2 and sequence = 1",
        )
        .bind(job.tenant_id.0)
        .bind(&job.subject_id)
        .fetch_one(&office.pool)
        .await?;
        let First { payload, position, recorded_at, api_key_id, request_id } = first;
        let Event::Requested {
            format,
            dataset,
            columns,
            filter,
            sort,
            title,
            locale,
            time_zone,
            requested_by,
            wishes,
            options,
        } = serde_json::from_str(&payload)?
        else {
            anyhow::bail!("the export does not begin with its request");
        };
        Ok(Self {
            format,
            dataset,
            columns,
            filter,
            sort,
            title,
            locale,
            time_zone,
            requested_by,
            layout: wishes.layout,
            options: *options,
            requested_at: recorded_at.to_jiff(),
            request_id,
            position,
            api_key: api_key_id.map(|id| id.parse()).transpose()?,
        })
    }

    pub(super) fn zone(&self) -> TimeZone {
        TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The question as it was asked, whoever asks.
    fn question(&self, dataset: &'static Dataset) -> Result<Query, String> {
        let text = |refused: Refused| refused.to_string();
        let columns = self.columns.iter().map(String::as_str);
        let mut query = Query::everything(dataset).map_err(text)?.at(self.requested_at);
        query = query.only(dataset, columns).map_err(text)?;
        let keys = self.sort.iter().map(|sort| (sort.column.as_str(), sort.descending));
        let order = dataset::order(dataset, keys);
        if !order.is_empty() {
            query = query.sorted(dataset, &order).map_err(text)?;
        }
        if let Some(filter) = &self.filter {
            query = query.filtered(dataset, filter, Some(self.requested_by)).map_err(text)?;
        }
        Ok(query)
    }

    /// Which rows are asked for, where no title says what they are.
    pub(super) fn unnamed_filter(&self) -> Option<&str> {
        self.filter.as_deref().filter(|_| self.title.is_none())
    }

    /// What the requester asked for, as far as they may see it now.
    pub(super) async fn query(&self, office: &Office, tenant: TenantId) -> Result<Plan, Refusal> {
        let dataset = dataset::find(&self.dataset).ok_or_else(|| {
            Refusal::For("dataset_unknown", format!("there is no dataset {}", self.dataset))
        })?;
        let principal = match self.api_key {
            Some(key) => ApiKeys::speaking(&office.aggregates, tenant, key)
                .await
                .map_err(|error| Refusal::Trouble(error.into()))?,
            None => Principal::somebody(tenant, self.requested_by),
        };
        office.access.refresh(&principal).await.map_err(|error| Refusal::Trouble(error.into()))?;
        let standing = office.access.last_known(&principal).await;
        let standing = standing.map_err(|error| Refusal::Trouble(error.into()))?;
        let standing =
            standing.filter(|it: &Standing| it.user.state.status == user::Status::Active);
        let mut places = Places::Everywhere;
        let needed = [Some(Permission::ExportsFilesRequest), dataset.permission];
        for needed in needed.into_iter().flatten() {
            let held = office.access.places(&principal, standing.as_ref(), needed).await;
            places = places.and(held.map_err(|error| Refusal::Trouble(error.into()))?);
            let enough = match &places {
                Places::Everywhere => true,
                Places::In(_) => dataset.is_by_unit(),
                Places::Nowhere => false,
            };
            if !enough {
                let message = format!("the permission {} is needed and was taken", needed.name());
                return Err(Refusal::For("permission_revoked", message));
            }
        }
        let permits = |permission: Permission| {
            standing.as_ref().is_some_and(|standing| standing.effective.permits(permission))
        };
        let text = |refused: String| Refusal::For("question_refused", refused);
        let query = self.question(dataset).map_err(text)?;
        let query = query.seen_from(dataset, &places, Some(self.requested_by));
        let query = query.map_err(|refused| text(refused.to_string()))?;
        let query = query.ok_or_else(|| text("its rows belong to no unit".to_owned()))?;
        let query = match &dataset.owner {
            Some(owner) if !owner.everybody.is_some_and(permits) => {
                query.of_owner(self.requested_by)
            }
            Some(_) | None => query,
        };
        let organization = standing.map(|standing| standing.organization.state);
        let units = match places {
            Places::In(units) => organization.map(|all| all.highest(&units)).unwrap_or_default(),
            Places::Everywhere | Places::Nowhere => Vec::new(),
        };
        Ok(Plan { dataset, query, units })
    }
}

/// The event that the export begins with.
#[derive(sqlx::FromRow)]
struct First {
    payload: String,
    position: i64,
    recorded_at: jiff_sqlx::Timestamp,
    api_key_id: Option<String>,
    request_id: Option<String>,
}

/// A question that the requester may ask.
pub(super) struct Plan {
    pub(super) dataset: &'static Dataset,
    pub(super) query: Query,
    /// The units that its rows are narrowed to, with all below them.
    pub(super) units: Vec<UnitId>,
}
