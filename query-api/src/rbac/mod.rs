//! Questions about roles, permissions and who may do what.

mod check;
mod csv;
mod evidence;
mod past;
mod places;
mod policy;
mod review;

use events::Module::Rbac;
use events::{Permission, UserId};
use platform::routes::{Access, Route};

use crate::answer::{Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::identity::me::{Permissions, existing, held};
use crate::item::item;
use crate::list::{equals, list};
use crate::shape::{LIST, dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::new(
            listing(
                Route::get("/rbac/roles", Rbac, "rbac_roles").summary("Which roles there are"),
                "rbac.roles",
                |g| page_of(g, "rbac.roles"),
            ),
            |call| async move { list(&call, dataset("rbac.roles"), None).await },
        ),
        policy::hierarchy(),
        policy::role_permissions(),
        Endpoint::new(
            listing(
                Route::get("/rbac/permissions", Rbac, "rbac_permissions")
                    .summary("What can be granted"),
                "rbac.permissions",
                |g| page_of(g, "rbac.permissions"),
            ),
            |call| async move { list(&call, dataset("rbac.permissions"), None).await },
        ),
        check::check(),
        review::review(),
        csv::policy_csv(),
        audit_logs(),
    ];
    let role = Endpoint::new(
        single(
            Route::get("/rbac/roles/{role_id}", Rbac, "rbac_role").summary("One role"),
            "rbac.roles",
            |g| row_of(g, "rbac.roles"),
        ),
        |call| async move { item(&call, dataset("rbac.roles"), call.segment("role_id"), "role").await },
    );
    endpoints.extend(with_past(&past::ROLE, role));
    endpoints.extend(of_users());
    endpoints
}

fn of_users() -> Vec<Endpoint> {
    vec![
        roles_of(
            Route::get("/rbac/users/{user_id}/roles", Rbac, "rbac_user_roles")
                .summary("The roles of a user; one's own without a permission"),
        ),
        roles_of(
            Route::get("/rbac/user-roles/{user_id}", Rbac, "rbac_user_roles_alias")
                .summary("The roles of a user, under its other address"),
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

/// The caller asks about oneself, or holds the permission to see who holds which role.
fn may_see(call: &Call, user: UserId) -> Result<(), platform::problem::Problem> {
    if call.me() == Some(user) {
        return Ok(());
    }
    platform::access::authorize(
        &call.principal,
        call.standing.as_ref(),
        Permission::RbacAssignmentsRead,
    )
}

fn roles_of(route: Route) -> Endpoint {
    let route = Route { response: Some(|g| page_of(g, "rbac.assignments")), ..route };
    Endpoint::new(route.parameters(LIST), |call: Call| async move {
        let user: UserId = call.id("user_id", "user")?;
        may_see(&call, user)?;
        let narrow = equals("user_id", user.to_string());
        list(&call, dataset("rbac.assignments"), Some(narrow)).await
    })
}

fn permissions_of() -> Endpoint {
    let route = Route::get("/rbac/users/{user_id}/permissions", Rbac, "rbac_user_permissions")
        .summary("What a user may do; oneself without a permission")
        .answers::<Stamped<Permissions>>(200);
    Endpoint::new(route, |call: Call| async move {
        let user: UserId = call.id("user_id", "user")?;
        may_see(&call, user)?;
        let asked = call.head().await?;
        let standing = call.standing_of(user, true).await?;
        existing(&standing)?;
        Ok(stamped(&call, &asked, held(&standing)))
    })
}

fn audit_logs() -> Endpoint {
    let route = Route::get("/rbac/audit-logs", Rbac, "rbac_audit_logs")
        .summary("What was changed about access, and by whom");
    let route = Route { response: Some(|g| page_of(g, "audit.trail")), ..route };
    let route = route.access(Access::Needs(Permission::AuditTrailRead)).parameters(LIST);
    Endpoint::new(route, |call: Call| async move {
        list(&call, dataset("audit.trail"), Some(equals("module", "rbac"))).await
    })
}
