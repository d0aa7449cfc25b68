//! Typed options: only those the model lists, each within its bounds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Review;
use crate::video::catalog::OptionName;

impl Review<'_> {
    pub(super) fn options(&mut self, wishes: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        for (key, value) in &wishes {
            let listed = self.model.options.iter().find(|option| option.key() == Some(key));
            let refusal = match listed {
                Some(option) => misfit(*option, value).map(|rule| format!("{key} {rule}")),
                None => Some(self.unknown_option(key)),
            };
            if let Some(message) = refusal {
                self.error("options", message);
            }
        }
        wishes
    }

    fn unknown_option(&self, key: &str) -> String {
        if let Some(field) = own_field(key) {
            return format!("{key} has a field of its own: {field}");
        }
        let allowed: Vec<&str> = self.model.options.iter().filter_map(|option| option.key()).collect();
        match allowed.as_slice() {
            [] => format!("{key} is not allowed; {} takes no options", self.model.id),
            keys => format!("{key} is not allowed; {} takes {}", self.model.id, keys.join(", ")),
        }
    }
}

fn own_field(key: &str) -> Option<&'static str> {
    match key {
        "negative_prompt" => Some("negativePrompt"),
        "seed" => Some("seed"),
        _ => None,
    }
}

/// What the value should have been, if it is not that.
fn misfit(option: OptionName, value: &Value) -> Option<&'static str> {
    let (fits, rule) = match option {
        OptionName::CfgScale => (between_0_and_1(value), "must be a number from 0 to 1"),
        OptionName::ShotType => (value.is_string(), "must be a string"),
        OptionName::CameraControl => (value.is_object(), "must be an object"),
        OptionName::Elements => (value.is_array(), "must be an array"),
        OptionName::MultiPrompt => (is_list_of_objects(value), "must be an array of objects"),
        OptionName::KeepAudio | OptionName::MultiShot | OptionName::Watermark => {
            (value.is_boolean(), "must be true or false")
        }
        OptionName::NegativePrompt | OptionName::Seed => (false, "has a field of its own"),
    };
    (!fits).then_some(rule)
}

fn between_0_and_1(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number))
}

fn is_list_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
}
