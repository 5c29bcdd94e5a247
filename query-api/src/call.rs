//! One authenticated request, and the guard that lets it in.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use events::{Permission, TenantId, UnitId, UserId};
use jiff::Timestamp;
use platform::access::{Places, Standing, authorize, check_shared, in_person, lacking, lacking_in};
use platform::clock;
use platform::consistency::Token;
pub(crate) use platform::dataset::UNIT; // also the part of a path that names the unit asked about
use platform::fold::FoldError;
use platform::http::{RequestFacts, bearer};
use platform::prefer::Prefer;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::routes::Access;

use crate::app::App;
use crate::ask::Asked;
use crate::telling::By;

/// The header in which a caller brings a consistency token.
pub(crate) const TOKEN: &str = "consistency-token";
const DEFAULT_WAIT: Duration = Duration::from_secs(2);

/// One authenticated request.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) principal: Arc<Principal>,
    /// A user's standing; a service has none.
    pub(crate) standing: Option<Standing>,
    /// Where the caller holds the permission of the route, by which lists and items are narrowed.
    pub(crate) places: Places,
    /// As whom the caller finds what is shared, on routes that show such things.
    pub(crate) readers: Vec<String>,
    pub(crate) facts: Arc<RequestFacts>,
    pub(crate) prefer: Prefer,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// The position at which the answer must stand, where the caller asks for exactly one.
    pub(crate) exact: Option<i64>,
    /// What the answer was read from.
    pub(crate) seen: Arc<Mutex<Option<Seen>>>,
}

/// The projections that an answer was read from, none where it was the log alone, and where the earliest reading stood.
pub(crate) struct Seen {
    pub(crate) projections: Vec<String>,
    pub(crate) asked: Asked,
}

/// What the caller will wait for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long.
    pub(crate) wait: Duration,
    /// Whether `wait` was asked for in `Prefer`.
    pub(crate) asked: bool,
    /// Whether a stale answer is better than none.
    pub(crate) lenient: bool,
}

/// Whom a valid token or key speaks for.
pub(crate) async fn verify(
    app: &App,
    headers: &HeaderMap,
    ip: Option<IpAddr>,
) -> Result<Arc<Principal>, Problem> {
    app.verify(bearer(headers)?, ip).await
}

/// Somebody who was let in.
#[derive(Default)]
pub(crate) struct Admitted {
    /// A user's standing; a service has none.
    pub(crate) standing: Option<Standing>,
    /// Where they hold the permission of the route.
    pub(crate) places: Places,
    /// As whom they find what is shared.
    pub(crate) readers: Vec<String>,
}

/// Lets a caller in: an account and session that still stand, and what the route needs; in the unit that the path names, where
/// that is enough.
pub(crate) async fn admit(
    app: &App,
    principal: &Principal,
    (access, unit): (Access, Option<&str>),
) -> Result<Admitted, Problem> {
    let needs = (access, unit);
    let mut standing = app.access.current(principal).await.map_err(unreadable)?;
    let mut checked = check(app, principal, standing.as_ref(), needs).await;
    if checked.is_err() {
        // What was known a moment ago does not suffice; a right given since does.
        app.access.refresh(principal).await.map_err(unreadable)?;
        standing = app.access.last_known(principal).await.map_err(unreadable)?;
        checked = check(app, principal, standing.as_ref(), needs).await;
    }
    let places = checked?;
    let readers = match access {
        Access::Shared(_) => app.access.seen_as(principal, standing.as_ref()).await,
        Access::Public
        | Access::SignedIn
        | Access::Needs(_)
        | Access::InUnit(_)
        | Access::InPerson(_)
        | Access::Bootstrap => Ok(Vec::new()),
    };
    Ok(Admitted { standing, places, readers: readers.map_err(unreadable)? })
}

async fn check(
    app: &App,
    principal: &Principal,
    standing: Option<&Standing>,
    (access, unit): (Access, Option<&str>),
) -> Result<Places, Problem> {
    if let Some(standing) = standing {
        standing.check_session(clock::now())?;
    }
    match access {
        Access::Public | Access::SignedIn | Access::Needs(_) => {}
        Access::InPerson(_) => in_person(principal)?,
        Access::InUnit(permission) => {
            return in_unit(app, principal, standing, (permission, unit)).await;
        }
        Access::Shared(permission) => {
            check_shared(principal, standing, permission)?;
            return app.access.places(principal, standing, permission).await.map_err(unreadable);
        }
        Access::Bootstrap => return Err(Problem::forbidden("this needs the bootstrap token")),
    }
    let needed = access.permission();
    needed.map_or(Ok(()), |needed| authorize(principal, standing, needed))?;
    Ok(Places::Everywhere)
}

/// In the unit that the path names, which is then all that is asked about; otherwise in whichever units.
async fn in_unit(
    app: &App,
    principal: &Principal,
    standing: Option<&Standing>,
    (permission, unit): (Permission, Option<&str>),
) -> Result<Places, Problem> {
    if let Some(unit) = unit.and_then(|unit| unit.parse::<UnitId>().ok()) {
        let permitted = app.access.permits_in(principal, standing, (permission, unit)).await;
        return if permitted.map_err(unreadable)? {
            Ok(Places::Everywhere)
        } else {
            Err(lacking_in(principal, permission, unit))
        };
    }
    match app.access.places(principal, standing, permission).await.map_err(unreadable)? {
        Places::Nowhere => Err(lacking(principal, permission)),
        places @ (Places::Everywhere | Places::In(_)) => Ok(places),
    }
}

/// A stream that cannot be folded is the database's fault or ours, never the caller's.
pub(crate) fn unreadable(error: FoldError) -> Problem {
    match error {
        FoldError::Database(error) => error.into(),
        FoldError::Personal(error) => error.into(),
        error @ (FoldError::Decode(_) | FoldError::Gap { .. }) => Problem::internal(&error),
    }
}

impl Call {
    /// The organisation asked about.
    pub(crate) fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// The caller, and the story that the request belongs to.
    pub(crate) fn by(&self) -> By<'_> {
        By { principal: &self.principal, correlation: self.facts.correlation_id() }
    }

    /// The caller as a user.
    pub(crate) fn me(&self) -> Option<UserId> {
        self.principal.user()
    }

    /// The caller as a user, where only a person makes sense.
    pub(crate) fn person(&self) -> Result<UserId, Problem> {
        self.me().ok_or_else(|| Problem::forbidden("this is about a person, not a service"))
    }

    /// Whether the caller holds a permission.
    pub(crate) fn permits(&self, permission: Permission) -> bool {
        authorize(&self.principal, self.standing.as_ref(), permission).is_ok()
    }

    /// Refuses what is asked of a unit, or of the organisation as a whole, to whoever may only in other places.
    pub(crate) fn only_in(
        &self,
        places: &Places,
        unit: Option<UnitId>,
        permission: Permission,
    ) -> Result<(), Problem> {
        if places.hold(unit) {
            return Ok(());
        }
        Err(match unit {
            Some(unit) => lacking_in(&self.principal, permission, unit),
            None => lacking(&self.principal, permission),
        })
    }

    /// Where the caller holds a permission besides that of the route.
    pub(crate) async fn places_of(&self, permission: Permission) -> Result<Places, Problem> {
        let standing = self.standing.as_ref();
        self.app.access.places(&self.principal, standing, permission).await.map_err(unreadable)
    }

    /// The same request with a parameter under the name that we have for it.
    pub(crate) fn renamed(mut self, theirs: &str, ours: &str) -> Self {
        let named = self.parameters.iter_mut().filter(|(name, _)| name == theirs);
        named.for_each(|(name, _)| ours.clone_into(name));
        self
    }

    /// An id in the path; one that is not an id names nothing.
    pub(crate) fn id<T: FromStr>(&self, name: &str, what: &str) -> Result<T, Problem> {
        self.segment(name).parse().map_err(|_| Problem::absent(what))
    }

    /// A part of the path.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Takes parameters that an endpoint has names of its own for as the columns they are about.
    pub(crate) fn translate(&mut self, names: &[(&str, &str)]) {
        for (name, _) in &mut self.parameters {
            if let Some((_, column)) = names.iter().find(|(own, _)| own == name) {
                (*column).clone_into(name);
            }
        }
    }

    /// A query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter that is a number, not negative.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        let parse = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        let refused = || {
            let detail = format!("{name} must be a number, 0 or greater");
            Problem::parameter(name, detail)
        };
        self.parameter(name).map(|text| parse(text).ok_or_else(refused)).transpose()
    }

    /// A query parameter that is a moment.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let refused = || Problem::parameter(name, format!("{name} must be an RFC 3339 time"));
        self.parameter(name).map(|text| text.parse().map_err(|_| refused())).transpose()
    }

    /// Refuses query parameters other than these, so that a misspelt one is not silently without effect.
    pub(crate) fn only_parameters(&self, known: &[&str]) -> Result<(), Problem> {
        platform::parameters::only(&self.parameters, known)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The consistency token that the caller brings.
    pub(crate) fn token(&self) -> Result<Option<Token>, Problem> {
        let Some(text) = self.header(TOKEN) else { return Ok(None) };
        let token = self.app.keys.consistency.decode(text);
        let token = token.filter(|token| token.tenant == self.tenant()).ok_or_else(|| {
            Problem::bad_request(
                "CONSISTENCY_TOKEN_INVALID",
                "the consistency token is not one that we gave to this organisation; leave it out",
            )
        })?;
        Ok(Some(token))
    }

    /// What the caller will wait for (RFC 7240), bounded by our own limit.
    pub(crate) fn patience(&self) -> Patience {
        let limit = Duration::from_millis(self.app.settings.max_wait_ms);
        Patience {
            wait: self.prefer.wait.unwrap_or(DEFAULT_WAIT).min(limit),
            asked: self.prefer.wait.is_some(),
            lenient: self.prefer.lenient,
        }
    }

    /// Remembers what the answer was read from: it says so of itself, and who waits does so until that changes.
    pub(crate) fn note(&self, projections: &[&str], asked: &Asked) {
        let mut seen = self.seen();
        let (mut names, earlier) = match seen.take() {
            Some(Seen { projections, asked }) => (projections, Some(asked)),
            None => (Vec::new(), None),
        };
        for name in projections {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
        let earlier = earlier.filter(|one| one.place.position <= asked.place.position);
        let asked = earlier.unwrap_or_else(|| asked.without_rows());
        *seen = Some(Seen { projections: names, asked });
    }

    /// What the answer was read from.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
