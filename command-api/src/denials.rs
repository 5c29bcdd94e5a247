//! Refusals for want of a permission: of a caller in a loop, one a minute stands in the log by itself, and the others as their number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use events::audit::security_log::{AccessDenied, Command};
use events::{ActorKind, TenantId};
use metrics::counter;
use platform::lifecycle::Tasks;
use platform::problem::Problem;

use crate::app::App;
use crate::pipeline::Ask;

/// The same refusal of the same caller is written once within it.
const WINDOW: Duration = Duration::from_mins(1);
/// Callers and operations kept apart at once; a refusal beyond is written as if it were the first.
const WINDOWS_MOST: usize = 10_000;
/// How often it is looked for windows that have ended.
const SWEEP: Duration = Duration::from_secs(1);

/// What was refused to whom lately.
#[derive(Default)]
pub(crate) struct Denials(Mutex<HashMap<Key, Window>>);

/// Who was refused what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    kind: ActorKind,
    id: String,
    operation: &'static str,
    permission: String,
}

/// A refusal that is written, and how many like it came since.
struct Window {
    ends: Instant,
    more: u64,
    ask: Ask,
    denied: AccessDenied,
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
        let mut windows = self.windows();
        if let Some(window) = windows.get_mut(&key) {
            window.more += 1;
            return false;
        }
        if windows.len() < WINDOWS_MOST {
            let ask = Ask { standing: None, ..ask.clone() };
            let (ends, more, denied) = (now + WINDOW, 0, denied.clone());
            windows.insert(key, Window { ends, more, ask, denied });
        }
        true
    }

    /// The refusals that were counted in windows that have ended.
    fn ended(&self, now: Option<Instant>) -> Vec<(Ask, AccessDenied)> {
        let mut windows = self.windows();
        let ended = windows.extract_if(|_, window| now.is_none_or(|now| window.ends <= now));
        let counted = ended.filter(|(_, window)| window.more > 0).map(|(_, window)| {
            let Window { more, ask, denied, .. } = window;
            (ask, denied.standing_for(more))
        });
        counted.collect()
    }

    fn windows(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    use platform::http::RequestFacts;
    use platform::principal::Principal;
    use platform::routes::Access;

    use super::*;
    use crate::keys::Manner;

    fn ask(actor: &str, operation: &'static str) -> Ask {
        let Context { tenant, now, .. } = context();
        let actor = Actor { id: actor.into(), ..context().actor };
        Ask {
            principal: Arc::new(Principal { tenant, actor, expires_at: now, key: None }),
            operation,
            access: Access::SignedIn,
            status: 200,
            facts: RequestFacts::default(),
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
        assert!(denials.is_first(&anna, &denied(), begun + WINDOW), "and the next is written");
        assert!(denials.ended(None).is_empty(), "it was not repeated");
    }

    #[test]
    fn what_is_kept_apart_is_bounded_and_nothing_beyond_is_lost() {
        let (denials, begun) = (Denials::default(), Instant::now());
        for number in 0..WINDOWS_MOST {
            assert!(denials.is_first(&ask(&number.to_string(), "op"), &denied(), begun));
        }
        let beyond = ask("one more", "op");
        assert!((0..3).all(|_| denials.is_first(&beyond, &denied(), begun)));
        assert_eq!(denials.windows().len(), WINDOWS_MOST);
    }
}
