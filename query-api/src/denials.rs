//! Who was refused a question for want of a permission: the first of a minute is told the log, and the others as their number.

use std::sync::Arc;
use std::time::Instant;

use events::audit::security_log::Caller;
use events::{Actor, ActorKind, ApiKeyId, TenantId};
use platform::problem::Problem;
use platform::repeats::Repeats;
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::telling::{By, Story, Telling};

const PATH: &str = "/audit-logs/denials";

impl App {
    /// A refusal as the caller hears it, noted where it is that they lack a permission.
    pub(crate) async fn denied(
        &self,
        by: By<'_>,
        operation: &'static str,
        problem: Problem,
    ) -> Problem {
        let problem = self.access.clarified(by.principal, problem).await;
        self.denials.note(by, operation, &problem);
        problem
    }
}

/// What was refused to whom lately.
pub(crate) struct Denials {
    telling: Arc<Telling>,
    repeats: Repeats<Key, (Story, Denial)>,
}

/// Who was refused what.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    kind: ActorKind,
    id: String,
    api_key_id: Option<ApiKeyId>,
    operation: &'static str,
    permission: String,
}

/// A refusal, as command-api takes it.
#[derive(Debug, Clone, Serialize)]
struct Denial {
    caller: Caller,
    permission: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<Value>,
    operation: &'static str,
    reason: String,
    repeated: u64,
}

impl Denials {
    pub(crate) fn new(telling: Arc<Telling>) -> Self {
        Self { telling, repeats: Repeats::default() }
    }

    /// Notes a problem, where it is that the caller lacks a permission.
    fn note(&self, by: By<'_>, operation: &'static str, problem: &Problem) {
        let Some(permission) = problem.lacks().map(str::to_owned) else {
            return; // the session, the organisation or the question is at fault, not the right
        };
        let Actor { kind, id, session_id, api_key_id, .. } = by.principal.actor.clone();
        let key = Key {
            tenant: by.principal.tenant,
            kind,
            id: id.clone(),
            api_key_id,
            operation,
            permission: permission.clone(),
        };
        let caller = Caller { kind, id, session_id, api_key_id };
        let reason = problem.detail.clone();
        let unit_id = problem.params.get("unit_id").cloned();
        let denial = Denial { caller, permission, unit_id, operation, reason, repeated: 0 };
        if self.repeats.is_first(key, Instant::now(), || (Story::of(by), denial.clone())) {
            self.telling.add(Story::of(by), PATH, &denial);
        }
    }

    /// Has the numbers of what was refused again told, once their minute is over.
    pub(crate) fn gather(&self, now: Option<Instant>) {
        for ((story, denial), repeated) in self.repeats.ended(now) {
            self.telling.add(story, PATH, &Denial { repeated, ..denial });
        }
    }
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::telling::{asking, somebody};

    #[test]
    fn a_caller_in_a_loop_is_told_of_twice_and_only_for_want_of_a_permission() {
        let telling = Arc::new(Telling::nowhere());
        let denials = Denials::new(Arc::clone(&telling));
        let lacks = Problem::forbidden("no").with("permission", "rbac.roles:read");
        let (one, other) = (somebody(1), somebody(2));
        for number in 0..1_000 {
            denials.note(asking(&one, &format!("request {number}")), "rbac_roles", &lacks);
        }
        denials.note(asking(&other, "another's"), "rbac_roles", &lacks);
        denials.note(asking(&one, "of one role"), "rbac_role", &lacks);
        denials.note(asking(&one, ""), "rbac_roles", &Problem::forbidden("suspended"));
        denials.note(asking(&one, ""), "rbac_roles", &Problem::absent("role"));
        denials.gather(Some(Instant::now()));
        assert_eq!(telling.waiting().len(), 3, "the minute is not over");
        denials.gather(None);
        let waiting = telling.waiting();
        let told: Vec<(&Value, &Value)> =
            waiting.iter().map(|denial| (&denial["operation"], &denial["repeated"])).collect();
        let (list, item) = (json!("rbac_roles"), json!("rbac_role"));
        let (first, more) = (json!(0), json!(999));
        assert_eq!(told, [(&list, &first), (&list, &first), (&item, &first), (&list, &more)]);
        let first = "request 0";
        assert_eq!(telling.stories(), [first, "another's", "of one role", first]);
        assert_eq!(waiting[0]["caller"], json!({"kind": "user", "id": id::<UserId>(1)}));
    }
}
