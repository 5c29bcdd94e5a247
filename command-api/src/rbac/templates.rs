//! Route for making the roles of a template.

use events::rbac::policy::{Command, Policy};
use events::rbac::template::Template;
use events::{Module, Permission, UnitId};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::Registry;

/// Where the roles of a template are to count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Instantiate {
    /// The unit that is to own them; the whole organisation when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
}

const TEMPLATE: &str = "/rbac/templates/{template}/instantiate";

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Instantiate, Policy>(
        Route::post(TEMPLATE, Module::Rbac, "rbac_policy_instantiate_template")
            .needs(Permission::RbacRolesManage)
            .summary("make the roles of a template that are not there yet, and what they need, in a unit perhaps"),
        |call| {
            let template = call.text("template").parse::<Template>();
            let template = template.map_err(|_| Problem::absent("template"))?;
            let command = Command::InstantiateTemplate { template, unit_id: call.body.unit_id };
            let needs = vec![Permission::RbacPermissionsManage];
            Ok(Target { needs, ..Target::new(call.tenant(), command).at("/rbac/roles") })
        },
    );
}
