//! The review functions of INCITS 359-2012 under their names, each answered by the pure function of that name.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::events::Module::Rbac;
use ::events::rbac::policy::Policy;
use ::events::rbac::review::Review;
use ::events::rbac::unit_access::Level;
use ::events::rbac::user_access::UserAccess;
use ::events::{ExclusiveSetId, Permission, RoleId, UserId};
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;

use super::may_see;
use super::places::States;
use super::review::begin;
use crate::answer::{Items, Stamped, owned, stamped};
use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::paging::{self, Page, Paged};
use crate::shape::{AFTER, query};

const PAGE: &[Parameter] =
    &[query("limit", "users looked at for a page: 50 unless told, at most 200"), AFTER];
const AS_OF: &[Parameter] =
    &[query("as_of", "a position of the log or an RFC 3339 time that has passed; now when absent")];

/// Users in the order of their ids. A page looks at so many who may have the role, so it can be empty and not the last.
#[derive(Debug, Serialize, JsonSchema)]
struct Users {
    items: Vec<UserId>,
}

/// How many roles of a set nobody may have.
#[derive(Debug, Serialize, JsonSchema)]
struct Cardinality {
    cardinality: u16,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    [who_has_roles(), of_users(), of_roles(), of_sets()].into_iter().flatten().collect()
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of a type with a lifetime is no such pointer"
)]
fn who_has_roles() -> Vec<Endpoint> {
    vec![
        users(
            Route::get(
                "/rbac/incits359/roles/{role_id}/assigned-users",
                Rbac,
                "rbac_incits359_assigned_users",
            )
            .summary("AssignedUsers: who holds a role themselves"),
            |policy, role| policy.role(role).map(|_| role).into_iter().collect(),
            |review, role| review.assigned_users(role),
        ),
        users(
            Route::get(
                "/rbac/incits359/roles/{role_id}/authorized-users",
                Rbac,
                "rbac_incits359_authorized_users",
            )
            .summary("AuthorizedUsers: who holds a role or one that inherits from it"),
            seniors,
            |review, role| review.authorized_users(role),
        ),
    ]
}

fn of_users() -> Vec<Endpoint> {
    vec![
        of_user(
            Route::get(
                "/rbac/incits359/users/{user_id}/assigned-roles",
                Rbac,
                "rbac_incits359_assigned_roles",
            )
            .summary("AssignedRoles: the roles that a user holds; one's own without a permission")
            .answers::<Stamped<Items<RoleId>>>(200),
            |review, user, _| Ok(review.assigned_roles(user).into_iter().collect::<Vec<_>>()),
        ),
        of_user(
            Route::get(
                "/rbac/incits359/users/{user_id}/authorized-roles",
                Rbac,
                "rbac_incits359_authorized_roles",
            )
            .summary(
                "AuthorizedRoles: the roles that a user holds, and all that these inherit from",
            )
            .answers::<Stamped<Items<RoleId>>>(200),
            |review, user, _| Ok(review.authorized_roles(user).into_iter().collect::<Vec<_>>()),
        ),
        of_user(
            Route::get(
                "/rbac/incits359/users/{user_id}/permissions",
                Rbac,
                "rbac_incits359_user_permissions",
            )
            .summary("UserPermissions: what a user may do in the organisation as a whole")
            .answers::<Stamped<Items<String>>>(200),
            |review, user, _| Ok(owned(&review.user_permissions(user, &[]))),
        ),
        of_user(
            Route::get(
                "/rbac/incits359/users/{user_id}/operations/{object}",
                Rbac,
                "rbac_incits359_user_operations_on_object",
            )
            .summary("UserOperationsOnObject: the actions that a user may take on a resource")
            .answers::<Stamped<Items<String>>>(200),
            |review, user, call| Ok(review.user_operations_on_object(user, call.segment("object"))),
        ),
    ]
}

fn of_roles() -> Vec<Endpoint> {
    vec![
        of_policy(
            Route::get(
                "/rbac/incits359/roles/{role_id}/permissions",
                Rbac,
                "rbac_incits359_role_permissions",
            )
            .summary("RolePermissions: what a role may do, patterns and inheritance written out")
            .answers::<Stamped<Items<String>>>(200),
            |review, call| {
                let names = review.role_permissions(role(review, call)?);
                Ok(Items { items: owned(&names) })
            },
        ),
        of_policy(
            Route::get(
                "/rbac/incits359/roles/{role_id}/operations/{object}",
                Rbac,
                "rbac_incits359_role_operations_on_object",
            )
            .summary("RoleOperationsOnObject: the actions that a role may take on a resource")
            .answers::<Stamped<Items<String>>>(200),
            |review, call| {
                let (role, object) = (role(review, call)?, call.segment("object"));
                Ok(Items { items: review.role_operations_on_object(role, object) })
            },
        ),
    ]
}

fn of_sets() -> Vec<Endpoint> {
    vec![
        of_policy(
            Route::get("/rbac/incits359/ssd-sets", Rbac, "rbac_incits359_ssd_role_sets")
                .summary("SsdRoleSets: the sets of roles that exclude each other")
                .answers::<Stamped<Items<ExclusiveSetId>>>(200),
            |review, _| Ok(Items { items: review.ssd_role_sets() }),
        ),
        of_policy(
            Route::get(
                "/rbac/incits359/ssd-sets/{set_id}/roles",
                Rbac,
                "rbac_incits359_ssd_role_set_roles",
            )
            .summary("SsdRoleSetRoles: the roles of such a set")
            .answers::<Stamped<Items<RoleId>>>(200),
            |review, call| {
                let roles = review.ssd_role_set_roles(call.id("set_id", "exclusive set")?);
                let roles = roles.ok_or_else(|| Problem::absent("exclusive set"))?;
                Ok(Items { items: roles.iter().copied().collect::<Vec<_>>() })
            },
        ),
        of_policy(
            Route::get(
                "/rbac/incits359/ssd-sets/{set_id}/cardinality",
                Rbac,
                "rbac_incits359_ssd_role_set_cardinality",
            )
            .summary("SsdRoleSetCardinality: how many roles of such a set nobody may have")
            .answers::<Stamped<Cardinality>>(200),
            |review, call| {
                let found = review.ssd_role_set_cardinality(call.id("set_id", "exclusive set")?);
                let cardinality = found.ok_or_else(|| Problem::absent("exclusive set"))?;
                Ok(Cardinality { cardinality })
            },
        ),
    ]
}

fn role(review: &Review<'_>, call: &Call) -> Result<RoleId, Problem> {
    let role_id = call.id("role_id", "role")?;
    review.policy.role(role_id).map(|_| role_id).ok_or_else(|| Problem::absent("role"))
}

/// A role and all that inherit from it.
fn seniors(policy: &Policy, role_id: RoleId) -> BTreeSet<RoleId> {
    let (mut found, mut open) = (BTreeSet::new(), vec![role_id]);
    while let Some(role_id) = open.pop() {
        let Some(role) = policy.role(role_id) else { continue };
        if found.insert(role_id) {
            open.extend(&role.seniors);
        }
    }
    found
}

/// What is answered from the policy alone.
fn of_policy<T: Serialize + 'static>(
    route: Route,
    answer: fn(&Review<'_>, &Call) -> Result<T, Problem>,
) -> Endpoint {
    let route = route.needs(Permission::RbacRolesRead).parameters(AS_OF);
    Endpoint::new(route, move |call: Call| async move {
        let (asked, states) = states(&call, &BTreeSet::new()).await?;
        let now = states.moment.time;
        let review = Review { policy: &states.policy.state, holders: &[], now };
        let answer = answer(&review, &call)?;
        Ok(stamped(&call, &asked, answer))
    })
}

/// What is answered from the policy and one user's roles. Whoever is deactivated has roles, and may do nothing with them.
fn of_user<T: Serialize + 'static>(
    route: Route,
    answer: fn(&Review<'_>, UserId, &Call) -> Result<Vec<T>, Problem>,
) -> Endpoint {
    let of_roles = route.path.ends_with("-roles");
    Endpoint::new(route.parameters(AS_OF), move |call: Call| async move {
        let user: UserId = call.id("user_id", "user")?;
        may_see(&call, user, None).await?;
        let (asked, states) = states(&call, &[user].into()).await?;
        let person = states.person(user).filter(|_| states.account(user) > 0);
        let person = person.ok_or_else(|| Problem::absent("user"))?;
        let holders = [(user, Arc::new(person.access.clone()))];
        let (policy, now) = (person.policy, person.now);
        let review = Review { policy, holders: &holders, now };
        let able = of_roles || person.is_active();
        let items = if able { answer(&review, user, &call)? } else { Vec::new() };
        Ok(stamped(&call, &asked, Items { items }))
    })
}

async fn states(call: &Call, users: &BTreeSet<UserId>) -> Result<(Asked, States), Problem> {
    call.only_parameters(&["as_of"])?;
    let at = match call.parameter("as_of") {
        None => None,
        Some(text) => Some(call.moment("as_of", text).await?),
    };
    States::read(call, at, users).await
}

/// The users with a role: the read models name who may have it, the roles of these decide.
fn users(
    route: Route,
    roles: fn(&Policy, RoleId) -> BTreeSet<RoleId>,
    answer: fn(&Review<'_>, RoleId) -> BTreeSet<UserId>,
) -> Endpoint {
    let route =
        route.needs(Permission::RbacAssignmentsRead).answers::<Paged<Users>>(200).parameters(PAGE);
    Endpoint::new(route, move |call: Call| async move {
        call.only_parameters(&["limit", "after"])?;
        let role: RoleId = call.id("role_id", "role")?;
        let policy = call.aggregate::<Policy>(&call.tenant().to_string()).await?.state;
        policy.role(role).ok_or_else(|| Problem::absent("role"))?;
        let (asked, users, page) = page(&call, &policy, &roles(&policy, role)).await?;
        let (_, states) = States::read(&call, None, &users).await?;
        let people = users.iter().filter_map(|user| states.person(*user));
        let holders: Vec<(UserId, Arc<UserAccess>)> =
            people.map(|person| (person.user_id, Arc::new(person.access.clone()))).collect();
        let (policy, now) = (&states.policy.state, states.moment.time);
        let found = answer(&Review { policy, holders: &holders, now }, role);
        // Protected roles are in the policy whole; only those of this page are told with it.
        let items: Vec<UserId> = found.intersection(&users).copied().collect();
        Ok(paging::respond(&call, &asked, paging::items(&items), &page, ""))
    })
}

/// The users of one page, in the order of their ids.
async fn page(
    call: &Call,
    policy: &Policy,
    roles: &BTreeSet<RoleId>,
) -> Result<(Asked, BTreeSet<UserId>, Page), Problem> {
    let (limit, start) = begin(call)?;
    let (symbol, direction) = start.order(false);
    let levels = Level::ALL
        .iter()
        .filter(|level| level.role(policy).is_some_and(|role_id| roles.contains(&role_id)));
    let levels = levels.map(|level| level.code().to_owned()).collect();
    let mut statement = Statement::default();
    let ids = roles.iter().map(ToString::to_string).collect();
    let roles = statement.bind(Bind::Texts(ids));
    let levels = statement.bind(Bind::Texts(levels));
    let from = statement.bind(Bind::Id(start.from.unwrap_or_default()));
    statement.sql = format!(
        "select user_id from (\
           select a.user_id from read.rbac_assignments a where a.role_id = any (${roles}::uuid[]) \
           union select p.user_id from read.rbac_user_plant_access p \
           where p.role_code = any (${levels})) u \
         where user_id {symbol} ${from} order by user_id {direction} limit {}",
        limit + 1
    );
    let asked = call.ask(&["rbac_assignments", "rbac_user_plant_access"], &statement).await?;
    let mut ids = Vec::with_capacity(asked.rows.len());
    for row in &asked.rows {
        ids.push(UserId(row.try_get(0)?));
    }
    let (ids, beside) = start.cut(ids, limit, |id| id.0);
    let page = start.page(call, &asked, &beside, limit)?;
    Ok((asked, ids.into_iter().collect(), page))
}
