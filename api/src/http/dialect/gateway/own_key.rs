//! Keys of a provider's own that clients write beside the fields that everybody knows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Reader;
use crate::video::catalog::Model;

/// The keys, and what each would be.
const OWN_KEYS: [(&str, &str); 6] = [
    ("fps", "frame rate but its own"),
    ("static_mask", "mask"),
    ("dynamic_masks", "masks"),
    ("voice_list", "voices"),
    ("template_id", "template"),
    ("camera_strength", "camera template"),
];

impl Reader<'_> {
    /// Passed on where the model has a provider that is told of them, and refused elsewhere: they are asked for to be heard.
    pub(super) fn own_keys(&mut self, model: Option<&Model>, extra: &mut BTreeMap<String, Value>) {
        for (key, what) in OWN_KEYS {
            let Some(value) = self.body.value(key) else { continue };
            let Some(model) = model else { continue };
            if model.routes.iter().any(|route| route.passthrough.contains(key)) {
                extra.insert(key.to_owned(), value);
            } else {
                self.body.wrong(key, format!("{} takes no {what}: leave it out", model.id));
            }
        }
    }
}
