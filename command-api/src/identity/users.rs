//! Routes for users.

use events::identity::user::{
    self, ChangeEmail, ChangeHandle, ChangePhone, Command, Deactivate, Register, Relocate, Rename,
    SetPassword, User,
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
use crate::patch::Patch;
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
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// The name to sign in with, unique in the organisation.
    #[serde(default)]
    handle: Option<String>,
    /// The name to show.
    #[serde(default)]
    display_name: Option<String>,
    /// The e-mail address; null takes it away.
    #[serde(default)]
    email: Patch<String>,
    /// The telephone number, as E.164 has it; null takes it away.
    #[serde(default)]
    phone: Patch<String>,
    /// Language and region, a BCP 47 tag.
    #[serde(default)]
    locale: Option<String>,
    /// Time zone, an IANA name.
    #[serde(default)]
    time_zone: Option<String>,
}

/// What to change of oneself; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeProfile {
    /// The name to show.
    #[serde(default)]
    display_name: Option<String>,
    /// The telephone number, as E.164 has it; null takes it away.
    #[serde(default)]
    phone: Patch<String>,
    /// Language and region, a BCP 47 tag.
    #[serde(default)]
    locale: Option<String>,
    /// Time zone, an IANA name.
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
            .summary("change what a user is called, how to reach them, their language and clock")
            .needs(Permission::IdentityUsersManage),
        change,
    );
    registry.command::<ChangeProfile, User>(
        Route::patch("/me", Module::Identity, "identity_user_change_own_profile")
            .summary("change your own name to show, telephone number, language and clock")
            .in_person(),
        |call| {
            let user = call.principal.user();
            let user = user.ok_or_else(|| Problem::forbidden("a service has no profile"))?;
            Ok(Target { commutes: SIGN_INS, commands: profile(&call.body), ..Target::of(user) })
        },
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
    let ChangeUser { handle, display_name, email, phone, locale, time_zone } = call.body.clone();
    let handle = handle.map(|handle| Command::ChangeHandle(ChangeHandle { handle }));
    let email = email.asks(|email| Command::ChangeEmail(ChangeEmail { email }));
    let profile = profile(&ChangeProfile { display_name, phone, locale, time_zone });
    let commands = handle.into_iter().chain(email).chain(profile).collect();
    Ok(Target { commands, commutes: SIGN_INS, ..Target::of(named(call)?) })
}

/// What people change of themselves, and whoever manages users of everybody.
fn profile(body: &ChangeProfile) -> Vec<Command> {
    let ChangeProfile { display_name, phone, locale, time_zone } = body.clone();
    let name = display_name.map(|display_name| Command::Rename(Rename { display_name }));
    let phone = phone.asks(|phone| Command::ChangePhone(ChangePhone { phone }));
    let relocates = locale.is_some() || time_zone.is_some();
    let place = relocates.then_some(Command::Relocate(Relocate { locale, time_zone }));
    name.into_iter().chain(phone).chain(place).collect()
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
