//! Routes of API keys: making and rotating one, whose answer shows it once; renaming and revoking.

use std::sync::Arc;

use events::identity::api_key::{
    ApiKey, Command, Create, Rename, RevocationReason, Revoke, Rotate, Status,
};
use events::{ApiKeyId, Module, Permission, UserId};
use jiff::Timestamp;
use platform::api_keys;
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use platform::secrets::fingerprint;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::{Carried, WithToken};
use crate::app::App;
use crate::pipeline::{Owner, Target};
use crate::registry::{Given, Nothing, Registry};

/// A key to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Make {
    /// The key's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<ApiKeyId>,
    /// In whose name it acts; in yours when absent.
    #[serde(default)]
    user_id: Option<UserId>,
    /// What people call it: after the program that uses it.
    name: String,
    /// The permissions that it may use, names or patterns; of what its owner may, it does nothing else.
    scope: Vec<String>,
    /// From when on it is of no use; within 366 days.
    expires_at: Timestamp,
}

/// Another secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Another {
    /// From when on the key is of no use, within 366 days; as before when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// How long the present secret goes on beside the next, up to 1440; dead at once when absent.
    #[serde(default)]
    overlap_minutes: u32,
}

/// Another name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    /// What people call it.
    name: String,
}

/// The end of a key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Over {
    /// Why; because nothing uses it any more when absent.
    #[serde(default)]
    reason: RevocationReason,
}

pub(super) fn routes(registry: &mut Registry) {
    let make = Route::post("/api-keys", Module::Identity, "identity_api_key_create")
        .summary("make an API key for a program; the answer shows it, this once")
        .needs(Permission::IdentityApiKeysMake)
        .in_person()
        .takes::<Make>()
        .answers::<WithToken>(201);
    registry.handled(make, create);
    let path = "/api-keys/{api_key_id}/rotate";
    let rotate = Route::post(path, Module::Identity, "identity_api_key_rotate")
        .summary(
            "give an API key another secret, shown this once; the one before ends at once or soon",
        )
        .in_person()
        .takes::<Another>()
        .answers::<WithToken>(200);
    registry.handled(rotate, another);
    let path = "/api-keys/{api_key_id}";
    registry.command::<Named, ApiKey>(
        Route::patch(path, Module::Identity, "identity_api_key_rename")
            .summary("call an API key something else")
            .in_person(),
        |call| {
            let name = call.body.name.clone();
            Ok(owned(call.id("api_key_id")?, Command::Rename(Rename { name })))
        },
    );
    registry.command::<Over, ApiKey>(
        Route::delete(path, Module::Identity, "identity_api_key_revoke")
            .summary("end an API key for good")
            .in_person(),
        |call| {
            let reason = call.body.reason;
            Ok(owned(call.id("api_key_id")?, Command::Revoke(Revoke { reason })))
        },
    );
    let path = "/api-keys/{api_key_id}/announce-end";
    registry.command::<Nothing, ApiKey>(
        Route::post(path, Module::Identity, "identity_api_key_announce_end")
            .summary("record that whom an API key concerns is told of its end, which is near")
            .needs(Permission::IdentityApiKeysAnnounce),
        |call| {
            let id: ApiKeyId = call.id("api_key_id")?;
            Ok(Target::new(id, Command::AnnounceEnd))
        },
    );
}

/// A command that a key's owner gives, or whoever manages everybody's.
fn owned(id: ApiKeyId, command: Command) -> Target<ApiKey> {
    let of = |key: &ApiKey| (key.status != Status::Absent).then_some(key.owner_id);
    let owner = Owner { of, others_need: Permission::IdentityApiKeysManage };
    Target { owners: vec![owner], ..Target::new(id, command) }
}

async fn create(app: Arc<App>, given: Arc<Given>) -> Result<WithToken, Problem> {
    let Given { request, ask } = &*given;
    let body: Make = request.json()?;
    let caller = ask.principal.user();
    let owner_id = body.user_id.or(caller);
    let owner_id = owner_id.ok_or_else(|| Problem::forbidden("only users own API keys"))?;
    let id = body.id.unwrap_or_else(clock::new_id);
    let key = api_keys::make(ask.principal.tenant, id);
    let create = Create {
        owner_id,
        name: body.name,
        scope: body.scope,
        secret_sha256: fingerprint(&key),
        expires_at: body.expires_at,
    };
    let for_another = (caller != Some(owner_id)).then_some(Permission::IdentityApiKeysManage);
    let carried = app.execute(ask, || {
        let target = Target::<ApiKey>::create(id, Command::Create(create.clone()));
        let target = target.at("/api-keys/{id}");
        Ok(Target { needs: for_another.into_iter().collect(), ..target })
    });
    carried.await.map(|carried| shown(carried, key))
}

async fn another(app: Arc<App>, given: Arc<Given>) -> Result<WithToken, Problem> {
    let Given { request, ask } = &*given;
    let Another { expires_at, overlap_minutes } = request.json()?;
    let id: ApiKeyId = request.id("api_key_id")?;
    let key = api_keys::make(ask.principal.tenant, id);
    let rotate = Rotate { secret_sha256: fingerprint(&key), expires_at, overlap_minutes };
    let carried = app.execute(ask, || Ok(owned(id, Command::Rotate(rotate.clone()))));
    carried.await.map(|carried| shown(carried, key))
}

/// The answer with the key, which nothing else ever has: whoever lost it has the key rotated.
fn shown(carried: Carried, key: String) -> WithToken {
    match carried {
        Carried::Done(answer) => WithToken { answer, token: Some(key) },
        Carried::Dry(answer) | Carried::Again(answer) => WithToken { answer, token: None },
    }
}
