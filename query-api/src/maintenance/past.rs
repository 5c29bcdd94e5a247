//! Assets as they were.

use ::events::maintenance::asset::{Asset, Status};
use ::events::money::Money;
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static ASSET: Past<Asset> = Past {
    data: "maintenance.assets",
    what: "asset",
    names: names!("/assets/{id}", "maintenance_asset"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: asset,
    masked: &[],
    owner: None,
};

fn asset(asset: &Asset, id: &str) -> Option<Value> {
    let cost = asset.cost.as_ref();
    (asset.status != Status::Absent).then(|| {
        json!({
            "asset_id": id,
            "tag": asset.tag,
            "name": asset.name,
            "category": asset.category,
            "serial": asset.serial,
            "unit_id": asset.unit_id,
            "acquired_on": asset.acquired_on,
            "warranty_until": asset.warranty_until,
            "cost_amount": cost.map(|cost| &cost.amount),
            "cost_currency": cost.map(|cost| &cost.currency),
            "cost_minor": cost.map(Money::minor),
            "visibility": asset.visibility,
            "shares": asset.shares,
            "readers": asset.readers(),
            "status": asset.status,
        })
    })
}
