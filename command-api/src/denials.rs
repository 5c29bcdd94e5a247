//! Refusals for want of a permission: of a caller in a loop, one a minute stands in the log by itself, and the others as their number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::audit::security_log::{AccessDenied, Command};
use events::{ActorKind, TenantId};
use metrics::counter;
use platform::lifecycle::Tasks;
use platform::problem::Problem;
use platform::repeats::Repeats;

use crate::app::App;
use crate::pipeline::Ask;

/// How often it is looked for windows that have ended.
const SWEEP: Duration = Duration::from_secs(1);

/// What was refused to whom lately.
#[derive(Default)]
pub(crate) struct Denials(Repeats<Key, (Ask, AccessDenied)>);

/// Who was refused what.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    kind: ActorKind,
    id: String,
    operation: &'static str,
    permission: String,
}

impl Denials {
    /// Whether a refusal is to be written now; otherwise it is counted.
    fn is_first(&self, ask: &Ask, denied: &AccessDenied, now: Instant) -> bool {
        let actor = &ask.principal.actor;
        let key = Key {
            tenant: ask.principal.tenant,
            kind: actor.kind,
            id: actor.id.clone(),
            operation: ask.operation,
            permission: denied.permission.clone(),
        };
        let kept = || (Ask { standing: None, ..ask.clone() }, denied.clone());
        self.0.is_first(key, now, kept)
    }

    /// The refusals that were counted in windows that have ended.
    fn ended(&self, now: Option<Instant>) -> Vec<(Ask, AccessDenied)> {
        let ended = self.0.ended(now).into_iter();
        ended.map(|((ask, denied), more)| (ask, denied.standing_for(more))).collect()
    }
}

impl App {
    /// Writes a refusal, or counts it where the like was written within a minute.
    pub(crate) async fn deny(&self, ask: &Ask, denied: AccessDenied) -> Result<(), Problem> {
        if !self.denials.is_first(ask, &denied, Instant::now()) {
            counter!("denials_counted_total").increment(1);
            return Ok(());
        }
        self.keep(ask, Command::RecordDenial(denied), None).await.map(|_| ())
    }

    async fn write_counted(&self, now: Option<Instant>) {
        for (ask, denied) in self.denials.ended(now) {
            if let Err(problem) = self.keep(&ask, Command::RecordDenial(denied), None).await {
                tracing::warn!(
                    operation = ask.operation,
                    problem = problem.detail,
                    "the number of repeated refusals could not be written"
                );
            }
        }
    }
}

/// Writes what was counted when its window ends, and everything when the process does.
pub(crate) fn start(app: &Arc<App>, tasks: &Tasks) {
    let (app, shutdown) = (Arc::clone(app), tasks.shutdown().clone());
    tasks.spawn("denials", async move {
        while shutdown.sleep(SWEEP).await {
            app.write_counted(Some(Instant::now())).await;
        }
        app.write_counted(None).await;
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use events::testing::context;
    use events::{Actor, Context};
    use platform::principal::Principal;
    use platform::repeats::WINDOW;
    use platform::routes::Access;

    use super::*;
    use crate::keys::Manner;

    fn ask(actor: &str, operation: &'static str) -> Ask {
        let Context { tenant, now, .. } = context();
        let actor = Actor { id: actor.into(), ..context().actor };
        Ask {
            principal: Arc::new(Principal {
                tenant,
                actor,
                expires_at: now,
                key: None,
                through: None,
            }),
            operation,
            access: Access::SignedIn,
            status: 200,
            facts: Arc::default(),
            manner: Manner::default(),
            quota: None,
            standing: None,
            person: None,
        }
    }

    fn denied() -> AccessDenied {
        AccessDenied {
            permission: "rbac.roles:manage".into(),
            unit_id: None,
            method: String::new(),
            path_template: "rbac_policy_create_role".into(),
            reason: "no role is granted it".into(),
            repeated: 0,
            caller: None,
        }
    }

    #[test]
    fn the_same_refusal_is_written_once_a_minute_and_the_others_are_counted() {
        let (denials, begun) = (Denials::default(), Instant::now());
        let anna = ask("anna", "rbac_policy_create_role");
        assert!(denials.is_first(&anna, &denied(), begun));
        for _ in 0..999 {
            assert!(!denials.is_first(&anna, &denied(), begun));
        }
        assert!(denials.is_first(&ask("bert", "rbac_policy_create_role"), &denied(), begun));
        assert!(denials.is_first(&ask("anna", "rbac_policy_delete_role"), &denied(), begun));
        assert!(denials.ended(Some(begun)).is_empty());
        let counted = denials.ended(Some(begun + WINDOW));
        let [(who, counted)] = counted.as_slice() else { panic!("{} counted", counted.len()) };
        assert_eq!((who.principal.actor.id.as_str(), counted.repeated), ("anna", 999));
        assert_eq!(counted.reason, "no role is granted it; 999 more such requests within a minute");
    }
}
