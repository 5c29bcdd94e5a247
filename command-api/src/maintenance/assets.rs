//! Routes of assets: registering and changing them, what they are used, where they belong, and who is let in.

use events::maintenance::asset::{
    Asset, Change, Command, RecordUsage, Register, Share, Visibility,
};
use events::money::Money;
use events::{AssetId, Module, Permission, UnitId};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::guard::Spot;
use crate::patch::Patch;
use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// An asset to register.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAsset {
    /// The asset's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<AssetId>,
    /// What stands on it, unique in the organisation whatever its case.
    tag: String,
    /// What people call it.
    name: String,
    /// What kind of thing it is.
    #[serde(default)]
    category: Option<String>,
    /// Its maker's number.
    #[serde(default)]
    serial: Option<String>,
    /// The unit that it belongs to; the organisation as a whole when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Since when it is there.
    #[serde(default)]
    acquired_on: Option<Date>,
    /// The last day of its warranty.
    #[serde(default)]
    warranty_until: Option<Date>,
    /// What it cost.
    #[serde(default)]
    cost: Option<Money>,
}

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Correction {
    /// What stands on it.
    #[serde(default)]
    tag: Option<String>,
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// What kind of thing it is; null when that is not to be said.
    #[serde(default)]
    category: Patch<String>,
    /// Its maker's number; null when it has none.
    #[serde(default)]
    serial: Patch<String>,
    /// Since when it is there; null when that is not known.
    #[serde(default)]
    acquired_on: Patch<Date>,
    /// The last day of its warranty; null when it has none.
    #[serde(default)]
    warranty_until: Patch<Date>,
    /// What it cost; null when that is not known.
    #[serde(default)]
    cost: Patch<Money>,
}

/// A reading of a counter: exactly one of `value` and `delta`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reading {
    /// Which counter, such as `hours`; its first reading begins it.
    counter: String,
    /// Where it stands, as a text such as `12.5`, with at most three digits after the point.
    #[serde(default)]
    value: Option<String>,
    /// How much came on top, likewise.
    #[serde(default)]
    delta: Option<String>,
    /// When it was read; the present when absent.
    #[serde(default)]
    at: Option<Timestamp>,
}

/// Why a counter begins again.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// Which counter.
    counter: String,
    /// Why, such as a new meter.
    reason: String,
}

/// Who besides its unit is let in.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sharing {
    /// Who sees it.
    visibility: Visibility,
    /// All whom it is shared with, and how far; whoever is not named is let in no more.
    shares: Vec<Share>,
}

/// Where it belongs from now on.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Destination {
    /// The unit; null for the organisation as a whole.
    #[serde(deserialize_with = "Option::deserialize")]
    unit_id: Option<UnitId>,
}

const ASSET: &str = "/assets/{asset_id}";

pub(super) fn routes(registry: &mut Registry) {
    let module = Module::Maintenance;
    let register = Route::post("/assets", module, "maintenance_asset_register")
        .needs(Permission::MaintenanceAssetsManage)
        .in_unit()
        .summary("register an asset of a unit, or of the organisation as a whole")
        .answers::<()>(201);
    registry.command::<NewAsset, Asset>(register, |call| Ok(begin(call)));
    let change = managing(Route::patch(ASSET, module, "maintenance_asset_change"))
        .summary("correct what is known of an asset");
    registry.command::<Correction, Asset>(change, |call| {
        target(call, Command::Change(corrected(&call.body)))
    });
    let retire = Route::post("/assets/{asset_id}/retire", module, "maintenance_asset_retire");
    let retire = managing(retire).summary("retire an asset; it stays as it is");
    registry.command::<Nothing, Asset>(retire, |call| target(call, Command::Retire));
    let travel = Route::post("/assets/{asset_id}/move", module, "maintenance_asset_move");
    let travel = managing(travel).summary("let an asset belong to another unit");
    registry.command::<Destination, Asset>(travel, |call| {
        let unit_id = call.body.unit_id;
        let there = [Spot::of(unit_id)];
        let target = target(call, Command::Move { unit_id })?;
        Ok(target.needing(Some(Permission::MaintenanceAssetsManage), &there))
    });
    let share = Route::put("/assets/{asset_id}/sharing", module, "maintenance_asset_set_sharing");
    let share = managing(share).summary("say who besides its unit may deal with an asset");
    registry.command::<Sharing, Asset>(share, |call| {
        let Sharing { visibility, shares } = call.body.clone();
        target(call, Command::SetSharing { visibility, shares })
    });
    let path = "/assets/{asset_id}/announce-warranty-end";
    let announce = Route::post(path, module, "maintenance_asset_announce_warranty_end")
        .needs(Permission::MaintenanceAssetsAnnounce)
        .summary("record that people are told of the end of a warranty, which is near");
    registry.command::<Nothing, Asset>(announce, |call| target(call, Command::AnnounceWarrantyEnd));
    counting(registry);
}

fn counting(registry: &mut Registry) {
    let module = Module::Maintenance;
    let record = Route::post("/assets/{asset_id}/usage", module, "maintenance_asset_record_usage")
        .access(Access::Shared(Permission::MaintenanceTasksWork))
        .summary("record what a counter of an asset shows, or what came on top");
    registry.command::<Reading, Asset>(record, |call| {
        let Reading { counter, value, delta, at } = call.body.clone();
        target(call, Command::RecordUsage(RecordUsage { counter, value, delta, at }))
    });
    let path = "/assets/{asset_id}/usage/reset";
    let reset = managing(Route::post(path, module, "maintenance_asset_reset_counter"))
        .summary("let a counter of an asset begin again at zero");
    registry.command::<Reset, Asset>(reset, |call| {
        let Reset { counter, reason } = call.body.clone();
        target(call, Command::ResetCounter { counter, reason })
    });
}

/// For whoever manages the asset where it belongs, or because it is shared with them; the rules say so.
fn managing(route: Route) -> Route {
    route.access(Access::Shared(Permission::MaintenanceAssetsManage))
}

fn begin(call: &Call<NewAsset>) -> Target<Asset> {
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let command = Register {
        tag: body.tag,
        name: body.name,
        category: body.category,
        serial: body.serial,
        unit_id: body.unit_id,
        acquired_on: body.acquired_on,
        warranty_until: body.warranty_until,
        cost: body.cost,
    };
    let target = Target::create(id, Command::Register(command)).at("/assets/{id}");
    target.within([Spot::of(body.unit_id)])
}

fn corrected(body: &Correction) -> Change {
    let body = body.clone();
    Change {
        tag: body.tag,
        name: body.name,
        category: body.category.asks(|category| category),
        serial: body.serial.asks(|serial| serial),
        acquired_on: body.acquired_on.asks(|day| day),
        warranty_until: body.warranty_until.asks(|day| day),
        cost: body.cost.asks(|cost| cost),
    }
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Asset>, Problem> {
    let id: AssetId = call.id("asset_id")?;
    Ok(Target::new(id, command))
}
