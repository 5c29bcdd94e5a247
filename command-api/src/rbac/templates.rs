//! Route for making the roles of a template.

use events::rbac::policy::{Command, Policy};
use events::rbac::template::Template;
use events::{Module, Permission};
use platform::problem::Problem;
use platform::routes::Route;

use crate::pipeline::Target;
use crate::registry::{Nothing, Registry};

const TEMPLATE: &str = "/rbac/templates/{template}/instantiate";

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Nothing, Policy>(
        Route::post(TEMPLATE, Module::Rbac, "rbac_policy_instantiate_template")
            .needs(Permission::RbacRolesManage)
            .summary("make the roles of a template that are not there yet, and what they need"),
        |call| {
            let template = call.text("template").parse::<Template>();
            let template = template.map_err(|_| Problem::absent("template"))?;
            let command = Command::InstantiateTemplate(template);
            let needs = vec![Permission::RbacPermissionsManage];
            Ok(Target { needs, ..Target::new(call.tenant(), command).at("/rbac/roles") })
        },
    );
}
