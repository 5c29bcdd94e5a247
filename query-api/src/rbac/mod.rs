//! Questions about roles, permissions and who may do what.

mod check;
mod csv;
mod evidence;
mod incits359;
mod past;
mod places;
mod policy;
mod review;

use events::Module::Rbac;
use events::{Permission, RoleId, UnitId, UserId};
use platform::access::Places;
use platform::dataset::filter::Filter;
use platform::problem::Problem;
use platform::routes::{Access, Alias, Deprecated, Parameter, Route};

use crate::answer::Stamped;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::identity::me::{Permissions, WHERE, permissions_in_unit, unit};
use crate::item::item;
use crate::list::list;
use crate::shape::{AT, LIST, dataset, listing, page_of, query, row_of, single};
use crate::travel::with_past;

const USER_ROLES: &[Alias] = &[Alias::new("/rbac/user-roles/{user_id}", "rbac_user_roles_alias")
    .until(Deprecated {
        since: 1_795_219_200, // 2026-11-21
        sunset: "Mon, 22 Nov 2027 00:00:00 GMT",
        successor: "/rbac/users/{user_id}/roles",
    })];
const OF_TRAIL: &[Parameter] = &[
    query("user_id", "only what this user did or was refused"),
    query("filter", "which entries besides, in the filter grammar; by `at` for a range of time"),
    query("sort", "in which order, for example `-at`"),
    query("limit", "rows of a page: 50 unless told, at most 500"),
    query("after", "the cursor of another page, from `page.next` or `page.prev`"),
    query("count", "`none`, `estimate` or `exact`"),
    AT,
];
const ROLES: &[Alias] = &[Alias::new("/roles", "rbac_roles_alias")];
/// To see who holds which role, and what follows.
const SEE: Permission = Permission::RbacAssignmentsRead;
const ROLE: &[Alias] = &[Alias::new("/roles/{role_id}", "rbac_role_alias")];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::new(
            listing(
                Route::get("/rbac/roles", Rbac, "rbac_roles")
                    .summary("Which roles there are")
                    .also(ROLES),
                "rbac.roles",
                |g| page_of(g, "rbac.roles"),
            ),
            |call| async move { list(&call, dataset("rbac.roles"), None).await },
        ),
        policy::hierarchy(),
        policy::role_permissions(),
        users_of(),
        Endpoint::new(
            listing(
                Route::get("/rbac/permissions", Rbac, "rbac_permissions")
                    .summary("What can be granted"),
                "rbac.permissions",
                |g| page_of(g, "rbac.permissions"),
            ),
            |call| async move { list(&call, dataset("rbac.permissions"), None).await },
        ),
        policy::permission_hierarchy(),
        policy::validate(),
        policy::templates(),
        check::check(),
        review::review(),
        csv::policy_csv(),
        audit_logs(),
        access_logs(),
    ];
    let role = Endpoint::new(
        single(
            Route::get("/rbac/roles/{role_id}", Rbac, "rbac_role").summary("One role").also(ROLE),
            "rbac.roles",
            |g| row_of(g, "rbac.roles"),
        ),
        |call| async move { item(&call, dataset("rbac.roles"), call.segment("role_id"), "role").await },
    );
    endpoints.extend(with_past(&past::ROLE, role));
    endpoints.extend(with_past(&past::PERMISSION, permission()));
    endpoints.extend(of_users());
    endpoints.extend(exclusive_sets());
    endpoints.extend(incits359::endpoints());
    endpoints
}

fn permission() -> Endpoint {
    let route = Route::get("/rbac/permissions/{permission_id}", Rbac, "rbac_permission")
        .summary("One permission; the past of those of the organisation's own");
    Endpoint::new(
        single(route, "rbac.permissions", |g| row_of(g, "rbac.permissions")),
        |call| async move {
            let (data, id) = (dataset("rbac.permissions"), call.segment("permission_id"));
            item(&call, data, id, "permission").await
        },
    )
}

fn of_users() -> Vec<Endpoint> {
    vec![
        plants_of(),
        roles_of(
            Route::get("/rbac/users/{user_id}/roles", Rbac, "rbac_user_roles")
                .summary(
                    "The roles of a user by name, one's own without a permission; what they come to is \
                     `/rbac/users/{user_id}/permissions`",
                )
                .also(USER_ROLES),
        ),
        Endpoint::new(
            listing(
                Route::get("/rbac/assignments", Rbac, "rbac_assignments")
                    .summary("Who holds which role, where and until when"),
                "rbac.assignments",
                |g| page_of(g, "rbac.assignments"),
            ),
            |call| async move { list(&call, dataset("rbac.assignments"), None).await },
        ),
        Endpoint::new(
            listing(
                Route::get("/rbac/effective-permissions", Rbac, "rbac_effective_permissions")
                    .summary("Who may do what, roles and inheritance written out"),
                "rbac.effective_permissions",
                |g| page_of(g, "rbac.effective_permissions"),
            ),
            |call| async move { list(&call, dataset("rbac.effective_permissions"), None).await },
        ),
        permissions_of(),
    ]
}

fn exclusive_sets() -> Vec<Endpoint> {
    let sets = Route::get("/rbac/exclusive-sets", Rbac, "rbac_exclusive_sets")
        .summary("Which roles exclude each other");
    let set = Route::get("/rbac/exclusive-sets/{set_id}", Rbac, "rbac_exclusive_set")
        .summary("One set of roles that exclude each other");
    let sets = Endpoint::new(
        listing(sets, "rbac.exclusive_sets", |g| page_of(g, "rbac.exclusive_sets")),
        |call| async move { list(&call, dataset("rbac.exclusive_sets"), None).await },
    );
    let set = Endpoint::new(
        single(set, "rbac.exclusive_sets", |g| row_of(g, "rbac.exclusive_sets")),
        |call| async move {
            let (data, id) = (dataset("rbac.exclusive_sets"), call.segment("set_id"));
            item(&call, data, id, "exclusive set").await
        },
    );
    [sets].into_iter().chain(with_past(&past::EXCLUSIVE_SET, set)).collect()
}

/// The caller asks about oneself, or holds the permission to see who holds which role; in the unit asked about, where there is one.
async fn may_see(call: &Call, user: UserId, unit: Option<UnitId>) -> Result<(), Problem> {
    call.only_in(&seen_of(call, user).await?, unit, SEE)
}

/// Where the caller may see what a user may do: everywhere of oneself, otherwise where the permission for it is held.
async fn seen_of(call: &Call, user: UserId) -> Result<Places, Problem> {
    if call.me() == Some(user) { Ok(Places::Everywhere) } else { call.places_of(SEE).await }
}

fn roles_of(route: Route) -> Endpoint {
    let route = Route { response: Some(|g| page_of(g, "rbac.assignments")), ..route };
    of_user(route, "rbac.assignments")
}

fn users_of() -> Endpoint {
    let route = Route::get("/rbac/roles/{role_id}/users", Rbac, "rbac_role_users")
        .summary("Who holds a role, where and until when");
    let route = listing(route, "rbac.assignments", |g| page_of(g, "rbac.assignments"));
    Endpoint::new(route, |call: Call| async move {
        let role: RoleId = call.id("role_id", "role")?;
        let narrow = Filter::equals("role_id", role.to_string());
        list(&call, dataset("rbac.assignments"), Some(narrow)).await
    })
}

fn plants_of() -> Endpoint {
    let route = Route::get("/rbac/users/{user_id}/plants", Rbac, "rbac_user_plants")
        .summary("The units a user has access to; one's own without a permission");
    let route = Route { response: Some(|g| page_of(g, "rbac.user_plant_access")), ..route };
    of_user(route, "rbac.user_plant_access")
}

/// The rows of a dataset that are about the user in the path.
fn of_user(route: Route, data: &'static str) -> Endpoint {
    Endpoint::new(route.parameters(LIST), move |mut call: Call| async move {
        let user: UserId = call.id("user_id", "user")?;
        call.places = seen_of(&call, user).await?;
        if call.places == Places::Nowhere {
            call.only_in(&call.places, None, SEE)?;
        }
        let narrow = Filter::equals("user_id", user.to_string());
        list(&call, dataset(data), Some(narrow)).await
    })
}

fn permissions_of() -> Endpoint {
    let route = Route::get("/rbac/users/{user_id}/permissions", Rbac, "rbac_user_permissions")
        .summary("What a user may do, everywhere or in a unit; oneself without a permission")
        .parameters(WHERE)
        .answers::<Stamped<Permissions>>(200);
    Endpoint::new(route, |call: Call| async move {
        let user: UserId = call.id("user_id", "user")?;
        may_see(&call, user, unit(&call)?).await?;
        permissions_in_unit(&call, user).await
    })
}

fn audit_logs() -> Endpoint {
    let route = Route::get("/rbac/audit-logs", Rbac, "rbac_audit_logs")
        .summary("What was changed about access, and by whom");
    of_trail(route, || Filter::equals("module", "rbac"))
}

fn access_logs() -> Endpoint {
    let route = Route::get("/rbac/access-logs", Rbac, "rbac_access_logs")
        .summary("Who was refused what and why, and who read what is sensitive");
    of_trail(route, || {
        let read = Filter::equals("action", "audit.security_log.data_read");
        Filter::Any(vec![Filter::equals("status", "denied"), read])
    })
}

/// The part of the audit trail for which a filter holds.
fn of_trail(route: Route, part: fn() -> Filter) -> Endpoint {
    let route = Route { response: Some(|g| page_of(g, "audit.trail")), ..route };
    let route = route.access(Access::Needs(Permission::AuditTrailRead)).parameters(OF_TRAIL);
    Endpoint::new(route, move |mut call: Call| async move {
        call.translate(&[("user_id", "actor_id")]);
        list(&call, dataset("audit.trail"), Some(part())).await
    })
}
