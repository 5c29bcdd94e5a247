//! Whether somebody may do something, and why; answered from memory, from versions that the log was just asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use events::identity::user::Status;
use events::rbac::resolve::Verdict;
use events::{Module, UnitId, UserId};
use platform::access::{Rights, Standing};
use platform::clock;
use platform::http::json_body;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::may_see;
use crate::answer::plain;
use crate::call::{Call, unreadable};
use crate::endpoint::Endpoint;

const MAX_CHECKS: usize = 100;

/// One question, or several in `checks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The permission in question.
    permission: Option<String>,
    /// Of whom; the caller when absent.
    user_id: Option<UserId>,
    /// Where; in the organisation as a whole when absent.
    unit_id: Option<UnitId>,
    /// Several questions, at most 100, instead of one.
    #[serde(default)]
    checks: Vec<Check>,
}

/// One question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// The permission in question.
    permission: String,
    /// Of whom; the caller when absent.
    user_id: Option<UserId>,
    /// Where; in the organisation as a whole when absent.
    unit_id: Option<UnitId>,
}

/// One answer.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// Whether the user may.
    allowed: bool,
    user_id: UserId,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<UnitId>,
    /// Whether the account may be used at all; without it nothing is allowed.
    active: bool,
    /// Why, or what is missing.
    reason: Verdict,
    /// The version of the organisation's policy.
    policy_version: i64,
    /// The version of the user's roles.
    access_version: i64,
}

/// The answers to `checks`, in their order.
#[derive(Debug, Serialize, JsonSchema)]
struct Answers {
    items: Vec<Answer>,
}

pub(super) fn check() -> Endpoint {
    let route = Route::post("/rbac/check", Module::Rbac, "rbac_check")
        .summary("Whether somebody may do something, and why; about oneself without a permission")
        .takes::<Body>()
        .answers::<Answer>(200);
    Endpoint::new(route, |call: Call| async move {
        let body: Body = json_body(&call.headers, &call.body)?;
        let Body { permission, user_id, unit_id, checks } = body;
        match (permission, checks.is_empty()) {
            (Some(permission), true) => {
                let check = Check { permission, user_id, unit_id };
                let mut answers = answers(&call, vec![check]).await?;
                answers.pop().map_or_else(
                    || Err(Problem::internal(&"a check has no answer")),
                    |answer| Ok(plain(&answer)),
                )
            }
            (None, false) if user_id.is_none() && unit_id.is_none() => {
                Ok(plain(&Answers { items: answers(&call, checks).await? }))
            }
            (Some(_) | None, _) => Err(Problem::invalid(
                "/permission",
                "CHECK_INVALID",
                "send either one permission, or several checks",
            )),
        }
    })
}

async fn answers(call: &Call, checks: Vec<Check>) -> Result<Vec<Answer>, Problem> {
    if checks.len() > MAX_CHECKS {
        let detail = format!("send at most {MAX_CHECKS} checks at once");
        return Err(Problem::invalid("/checks", "TOO_MANY_CHECKS", detail));
    }
    // Somebody who brings a token wants to see what the log says now.
    let now = call.token()?.is_some();
    let mut known: HashMap<UserId, (Standing, Rights)> = HashMap::new();
    let mut answers = Vec::with_capacity(checks.len());
    for check in checks {
        let user = check.user_id.map_or_else(|| call.person(), Ok)?;
        may_see(call, user)?;
        let somebody = match known.entry(user) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let standing = call.standing_of(user, now).await?;
                // The reasons lie in the policy and the roles themselves, not in the set that follows from them.
                let rights = call.app.access.rights(call.tenant(), &standing).await;
                new.insert((standing, rights.map_err(unreadable)?))
            }
        };
        let path = match check.unit_id {
            Some(unit) => unit_path(call, unit).await?,
            None => Vec::new(),
        };
        answers.push(answer(somebody, check, &path));
    }
    Ok(answers)
}

async fn unit_path(call: &Call, unit: UnitId) -> Result<Vec<UnitId>, Problem> {
    let path = call.organization().await?.state.path(unit);
    if path.is_empty() { Err(Problem::absent("unit")) } else { Ok(path) }
}

fn answer((standing, rights): &(Standing, Rights), check: Check, path: &[UnitId]) -> Answer {
    let holder = rights.holder(standing.user_id, path, clock::now());
    let reason = holder.explain(&check.permission);
    let versions = rights.versions();
    let active = match standing.user.state.status {
        Status::Active => true,
        Status::Absent | Status::Deactivated => false,
    };
    Answer {
        allowed: active && reason.is_allowed(),
        user_id: standing.user_id,
        permission: check.permission,
        unit_id: check.unit_id,
        active,
        reason,
        policy_version: versions.policy,
        access_version: versions.access,
    }
}
