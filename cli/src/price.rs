//! The price list of a model as a table: a row for each resolution and variant, a column for each length.

use serde_json::Value;

use crate::output::plain;

/// The header, and the rows. A length that isn't sold in a row is a dash; `2.4/s` is the price of each second.
pub fn matrix(model: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    let offers: Vec<&Value> = model["prices"].as_array().into_iter().flatten().collect();
    let mut lengths: Vec<(u64, u64)> = offers.iter().flat_map(|offer| prices(offer)).map(length).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let fields = telling(&offers);
    let mut header = vec!["resolution".to_owned()];
    header.extend(fields.iter().map(|(title, _)| (*title).to_owned()));
    header.extend(
        lengths
            .iter()
            .map(|(min, max)| if min == max { format!("{min} s") } else { format!("{min}-{max} s") }),
    );
    let mut rows = Vec::new();
    for offer in &offers {
        for resolution in offer["resolutions"].as_array().into_iter().flatten() {
            let mut row = vec![plain(resolution)];
            row.extend(fields.iter().map(|(_, field)| words(&offer[*field])));
            row.extend(lengths.iter().map(|wanted| {
                prices(offer).find(|price| length(price) == *wanted).map_or_else(|| "-".to_owned(), credits)
            }));
            rows.push(row);
        }
    }
    let place = |row: &Vec<String>| {
        let resolutions = model["resolutions"].as_array().into_iter().flatten();
        resolutions.map(plain).position(|resolution| Some(&resolution) == row.first())
    };
    rows.sort_by_key(place);
    (header, rows)
}

/// What some offers differ in.
fn telling(offers: &[&Value]) -> Vec<(&'static str, &'static str)> {
    let fields = [
        ("mode", "inputModes"),
        ("ratio", "aspectRatios"),
        ("sound", "audio"),
        ("video input", "videoInput"),
    ];
    let differs = |field: &str| offers.windows(2).any(|pair| pair[0][field] != pair[1][field]);
    fields.into_iter().filter(|(_, field)| differs(field)).collect()
}

fn words(values: &Value) -> String {
    let word = |value: &Value| match value {
        Value::Bool(true) => "with".to_owned(),
        Value::Bool(false) => "without".to_owned(),
        other => plain(other),
    };
    match values.as_array() {
        Some(values) if values.len() == 2 && values.iter().all(Value::is_boolean) => "either".to_owned(),
        Some(values) => values.iter().map(word).collect::<Vec<_>>().join(", "),
        None => "any".to_owned(),
    }
}

fn prices(offer: &Value) -> impl Iterator<Item = &Value> {
    offer["durations"].as_array().into_iter().flatten()
}

fn length(price: &Value) -> (u64, u64) {
    let seconds = |name: &str| price[name].as_u64().unwrap_or_default();
    (seconds("minSeconds"), seconds("maxSeconds"))
}

fn credits(price: &Value) -> String {
    match &price["credits"] {
        Value::Null => {
            let unit = match price["unit"].as_str() {
                Some("second") => "s",
                Some(unit) => unit,
                None => "unit",
            };
            format!("{}/{unit}", plain(&price["unitPrice"]))
        }
        credits => plain(credits),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_told_apart_by_what_they_differ_in() {
        let length = |min: u64, max: u64, credits: Value| json!({ "minSeconds": min, "maxSeconds": max, "unit": "second", "unitPrice": "2.4", "credits": credits });
        let offer = |resolutions: Value, audio: Value, durations: Value| {
            json!({
                "inputModes": ["text_to_video"], "resolutions": resolutions, "aspectRatios": null, "audio": audio,
                "videoInput": [false], "durations": durations,
            })
        };
        let model = json!({ "resolutions": ["720p", "1080p"], "prices": [
            offer(json!(["720p", "1080p"]), json!([true]), json!([length(5, 5, json!(12)), length(10, 10, json!(24))])),
            offer(json!(["720p"]), json!([false]), json!([length(4, 15, Value::Null)])),
        ] });
        let (header, rows) = matrix(&model);
        assert_eq!(header, ["resolution", "sound", "4-15 s", "5 s", "10 s"]);
        assert_eq!(rows[0], ["720p", "with", "-", "12", "24"]);
        assert_eq!(rows[1], ["720p", "without", "2.4/s", "-", "-"]);
        assert_eq!(rows[2], ["1080p", "with", "-", "12", "24"]);
    }
}
