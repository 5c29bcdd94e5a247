//! Settings as they were chosen, by the organisation or by one of its units, and features as they were switched.

use ::events::settings::configuration::Configuration;
use ::events::settings::{Flag, Key};
use platform::routes::Parameter;
use serde_json::{Value, json};

use super::unit;
use crate::shape::{AS_OF, AT_VERSION, PAST_ITEM, query};
use crate::travel::{Past, Place, names};

const PARAMETERS: &[Parameter] = &[
    query("unit_id", "the unit where it holds; the organisation as a whole when absent"),
    AS_OF,
    AT_VERSION,
];

pub(super) static SETTING: Past<Configuration> = Past {
    data: "settings.settings",
    what: "choice of the setting",
    names: names!("/settings/{key}", "settings_setting"),
    parameters: PARAMETERS,
    which: &["unit_id"],
    place: |call| {
        let key: Key = call.id("key", "setting")?;
        let unit = unit(call)?;
        let stream = unit.map_or_else(|| call.tenant().to_string(), |unit| unit.to_string());
        let id = key.name().to_owned();
        Ok(Place { stream, text: Some(format!("\"{id}\"")), id })
    },
    view: setting,
    masked: &[],
    owner: None,
};

pub(super) static FLAG: Past<Configuration> = Past {
    data: "settings.flags",
    what: "switch of the feature",
    names: names!("/feature-flags/{flag}", "settings_flag"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let flag: Flag = call.id("flag", "feature")?;
        let (stream, id) = (call.tenant().to_string(), flag.name().to_owned());
        Ok(Place { stream, text: Some(format!("\"{id}\"")), id })
    },
    view: flag,
    masked: &[],
    owner: None,
};

fn flag(configuration: &Configuration, id: &str) -> Option<Value> {
    let flag: Flag = id.parse().ok()?;
    let switch = configuration.switch(flag)?;
    Some(json!({
        "flag": flag,
        "enabled": switch.enabled,
        "rollout_pct": switch.rollout_pct,
        "units": switch.units,
    }))
}

fn setting(configuration: &Configuration, id: &str) -> Option<Value> {
    let key: Key = id.parse().ok()?;
    let value = configuration.chosen(key)?;
    Some(json!({ "key": id, "value": value }))
}
