//! Routes for users.

use events::identity::user::{
    self, ChangeEmail, Command, Deactivate, Register, Relocate, Rename, SetPassword, User,
};
use events::{Context, Module, Permission, SecretId, UserId};
use platform::clock;
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::draft::Draft;
use crate::log::StreamWrite;
use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// A user to register.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegisterUser {
    /// The user's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<UserId>,
    /// The name to sign in with, unique in the organisation.
    handle: String,
    /// The name to show; the handle when absent.
    #[serde(default)]
    display_name: Option<String>,
    /// The e-mail address, unique in the organisation.
    #[serde(default)]
    email: Option<String>,
    /// Language and region, a BCP 47 tag.
    #[serde(default = "default_locale")]
    locale: String,
    /// Time zone, an IANA name.
    #[serde(default = "default_time_zone")]
    time_zone: String,
}

pub(crate) fn default_locale() -> String {
    "en".into()
}

pub(crate) fn default_time_zone() -> String {
    "UTC".into()
}

/// What to change of a user; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// The name to show.
    #[serde(default)]
    display_name: Option<String>,
    /// The e-mail address.
    #[serde(default)]
    email: Option<String>,
    /// Language and region; goes with `time_zone`.
    #[serde(default)]
    locale: Option<String>,
    /// Time zone; goes with `locale`.
    #[serde(default)]
    time_zone: Option<String>,
}

/// What happens to a user without anybody deciding about them.
const SIGN_INS: &[&str] = &["identity.user.login_failed", "identity.user.login_failures_cleared"];

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<RegisterUser, User>(
        Route::post("/users", Module::Identity, "identity_user_register")
            .summary("register a user")
            .needs(Permission::IdentityUsersRegister)
            .answers::<()>(201),
        |call| Ok(register(call)),
    );
    registry.command::<ChangeUser, User>(
        Route::patch("/users/{user_id}", Module::Identity, "identity_user_change")
            .summary("rename a user, change their e-mail address, language and clock")
            .needs(Permission::IdentityUsersManage),
        change,
    );
    let manage = |path, operation, summary| {
        Route::post(path, Module::Identity, operation)
            .summary(summary)
            .needs(Permission::IdentityUsersManage)
    };
    registry.command::<Deactivate, User>(
        manage(
            "/users/{user_id}/deactivate",
            "identity_user_deactivate",
            "keep a user from signing in",
        ),
        |call| {
            let reason = call.body.reason.clone();
            Ok(Target::new(named(call)?, Command::Deactivate(Deactivate { reason })))
        },
    );
    registry.command::<Nothing, User>(
        manage(
            "/users/{user_id}/reactivate",
            "identity_user_reactivate",
            "let a user sign in again",
        ),
        |call| Ok(Target::new(named(call)?, Command::Reactivate)),
    );
    registry.command::<Nothing, User>(
        manage(
            "/users/{user_id}/unlock",
            "identity_user_unlock",
            "end a lock after failed sign-ins",
        ),
        |call| Ok(Target::new(named(call)?, Command::Unlock)),
    );
}

fn named<B>(call: &Call<B>) -> Result<UserId, Problem> {
    call.id("user_id")
}

fn register(call: &Call<RegisterUser>) -> Target<User> {
    let body = &call.body;
    let id = body.id.unwrap_or_else(clock::new_id);
    let command = Command::Register(Register {
        handle: body.handle.clone(),
        display_name: body.display_name.clone().unwrap_or_else(|| body.handle.clone()),
        email: body.email.clone(),
        locale: body.locale.clone(),
        time_zone: body.time_zone.clone(),
    });
    Target::create(id, command).at("/users/{id}")
}

fn change(call: &Call<ChangeUser>) -> Result<Target<User>, Problem> {
    let body = &call.body;
    let mut commands = Vec::new();
    if let Some(display_name) = body.display_name.clone() {
        commands.push(Command::Rename(Rename { display_name }));
    }
    if let Some(email) = body.email.clone() {
        commands.push(Command::ChangeEmail(ChangeEmail { email: Some(email) }));
    }
    match (body.locale.clone(), body.time_zone.clone()) {
        (Some(locale), Some(time_zone)) => {
            commands.push(Command::Relocate(Relocate { locale, time_zone }));
        }
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            let detail = "locale and time_zone are changed together; send both";
            return Err(Problem::invalid("/locale", "RELOCATION_INCOMPLETE", detail));
        }
    }
    Ok(Target { commands, commutes: SIGN_INS, ..Target::of(named(call)?) })
}

/// A new user with their password, to be stored with what makes them one.
pub(super) async fn newcomer(
    id: UserId,
    register: Register,
    secret_id: SecretId,
    context: &Context,
) -> Result<StreamWrite, Problem> {
    let set = Command::SetPassword(SetPassword { secret_id });
    let mut draft = Draft::<User>::new(id.to_string(), &Folded::default());
    draft.settle(Command::Register(register), user::Facts::default(), context).await?;
    draft.settle(set, user::Facts::default(), context).await?;
    Ok(draft.write())
}
