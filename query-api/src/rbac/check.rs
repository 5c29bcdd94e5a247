//! Whether somebody may do something, and why: now, or as the log has it of any moment that has passed.

use std::collections::BTreeSet;

use ::events::rbac::resolve::review::Person;
use ::events::rbac::resolve::{Lack, Verdict};
use ::events::{Module, UnitId, UserId};
use axum::response::Response;
use platform::http::json_body;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{self, Evidence};
use super::may_see;
use super::places::States;
use crate::answer::plain;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::past::Moment;

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
    /// Several questions, at most 100, instead of one; all are answered at one position.
    #[serde(default)]
    checks: Vec<Check>,
    /// As of when: a position of the log or an RFC 3339 time that has passed; now when absent.
    as_of: Option<AsOf>,
}

/// A moment, as a number or a text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum AsOf {
    Position(i64),
    Text(String),
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
    /// The unit and those above it, in which an assignment counts for it as well.
    unit_path: Vec<UnitId>,
    /// Whether the account may be used at all; without it nothing is allowed.
    active: bool,
    /// Why, or what is missing.
    reason: Verdict,
    /// What the reason rests on: since when, by which event, and who did it.
    evidence: Vec<Evidence>,
    /// The version of the organisation's policy.
    policy_version: i64,
    /// The version of the user's roles.
    access_version: i64,
    /// The moment that the answer is about.
    at: Moment,
}

/// The answer to one question, or the answers to `checks`, in their order.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Answers {
    One(Box<Answer>),
    Several { items: Vec<Answer> },
}

pub(super) fn check() -> Endpoint {
    let route = Route::post("/rbac/check", Module::Rbac, "rbac_check")
        .summary("Whether somebody may or might do something, and why; about oneself without a permission")
        .takes::<Body>()
        .answers::<Answers>(200);
    Endpoint::new(route, |call: Call| async move {
        let body: Body = json_body(&call.headers, &call.body)?;
        let Body { permission, user_id, unit_id, checks, as_of } = body;
        match (permission, checks.is_empty()) {
            (Some(permission), true) => {
                let check = Check { permission, user_id, unit_id };
                let (headers, mut answers) = answers(&call, vec![check], as_of).await?;
                let answer = answers.pop();
                let answer = answer.ok_or_else(|| Problem::internal(&"a check has no answer"))?;
                Ok(with(headers, plain(&Answers::One(Box::new(answer)))))
            }
            (None, false) if user_id.is_none() && unit_id.is_none() => {
                let (headers, items) = answers(&call, checks, as_of).await?;
                Ok(with(headers, plain(&Answers::Several { items })))
            }
            (Some(_) | None, _) => Err(Problem::invalid(
                "/permission",
                "CHECK_INVALID",
                "send either one permission, or several checks",
            )),
        }
    })
}

fn with(headers: axum::http::HeaderMap, mut response: Response) -> Response {
    response.headers_mut().extend(headers);
    response
}

async fn answers(
    call: &Call,
    checks: Vec<Check>,
    as_of: Option<AsOf>,
) -> Result<(axum::http::HeaderMap, Vec<Answer>), Problem> {
    if checks.len() > MAX_CHECKS {
        let detail = format!("send at most {MAX_CHECKS} checks at once");
        return Err(Problem::invalid("/checks", "TOO_MANY_CHECKS", detail));
    }
    let mut asked = Vec::with_capacity(checks.len());
    for check in checks {
        let user = check.user_id.map_or_else(|| call.person(), Ok)?;
        may_see(call, user, check.unit_id).await?;
        asked.push((user, check));
    }
    let at = match as_of {
        None => None,
        Some(AsOf::Position(position)) => Some(call.moment("as_of", &position.to_string()).await?),
        Some(AsOf::Text(text)) => Some(call.moment("as_of", &text).await?),
    };
    let users: BTreeSet<UserId> = asked.iter().map(|(user, _)| *user).collect();
    let (place, states) = match at {
        None => States::recent(call, &users).await?,
        Some(_) => States::read(call, at, &users).await?,
    };
    let explained = asked.iter().filter_map(|(user, check)| {
        let person = states.person(*user)?;
        let verdict = person.explain(&check.permission, check.unit_id);
        Some((person, by_key(call, *user, &check.permission, verdict)))
    });
    let explained: Vec<(Person<'_>, Verdict)> = explained.collect();
    let facts =
        explained.iter().map(|(person, verdict)| verdict.facts(person.policy, person.user_id));
    let evidence = evidence::for_answers(call, &states, facts.collect()).await?;
    let answers = asked.into_iter().zip(explained).zip(evidence);
    let answers = answers.map(|(((_, check), (person, reason)), evidence)| {
        answer(&states, &person, check, (reason, evidence))
    });
    Ok((place.headers(call, &place.place.as_of()), answers.collect()))
}

/// What a program may do as whose key it uses: nothing beyond the scope.
fn by_key(call: &Call, user: UserId, permission: &str, verdict: Verdict) -> Verdict {
    match &call.principal.key {
        Some(key) if call.me() == Some(user) && !key.scope.allows(permission) => {
            Verdict::Deny { missing: vec![Lack::BeyondKey] }
        }
        Some(_) | None => verdict,
    }
}

fn answer(
    states: &States,
    person: &Person<'_>,
    check: Check,
    (reason, evidence): (Verdict, Vec<Evidence>),
) -> Answer {
    let unit = check.unit_id;
    Answer {
        allowed: reason.is_allowed(),
        user_id: person.user_id,
        permission: check.permission,
        unit_id: unit,
        unit_path: unit.map(|unit| person.organization.path(unit)).unwrap_or_default(),
        active: person.is_active(),
        reason,
        evidence,
        policy_version: states.policy.version,
        access_version: states.access_version(person.user_id),
        at: states.moment,
    }
}
