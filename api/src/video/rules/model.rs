//! What there is to say about the model itself: unknown, retired, going away.

use crate::video::catalog::{Catalog, Model};

/// Ends of model ids by which some gateways choose a group of upstreams.
const GROUP_SUFFIXES: [&str; 4] = ["-stable", "-official", ":stable", ":official"];

/// Longer names than this are not compared with the catalog: the effort grows with the length, and nobody mistypes
/// a model that long.
const COMPARED_MAX_CHARS: usize = 100;

const SUGGESTIONS_MAX: usize = 3;

pub fn unknown(name: &str, catalog: &Catalog) -> String {
    if let Some(base) = without_group(name) {
        return with_group(base, catalog);
    }
    match closest(name, catalog).as_slice() {
        [] => "Unknown model".to_owned(),
        ids => format!("Unknown model. Did you mean {}?", ids.join(", ")),
    }
}

fn without_group(name: &str) -> Option<&str> {
    let before_at = name.split_once('@').map(|(base, _)| base);
    before_at.or_else(|| GROUP_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)))
}

fn with_group(base: &str, catalog: &Catalog) -> String {
    let hint = "The group belongs to the key, not to the model id";
    match catalog.model(base) {
        Some(_) => format!("{hint}. Send {base}"),
        None => hint.to_owned(),
    }
}

/// Up to three ids within an edit distance of a third of the name's length (at least 3), nearest first.
fn closest<'a>(name: &str, catalog: &'a Catalog) -> Vec<&'a str> {
    let length = name.chars().count();
    if length > COMPARED_MAX_CHARS {
        return Vec::new();
    }
    let reach = (length / 3).max(3);
    let ids = catalog.models().iter().map(|model| model.id.as_str());
    let mut near: Vec<(usize, &str)> = ids
        .map(|id| (strsim::damerau_levenshtein(name, id), id))
        .filter(|(distance, _)| *distance <= reach)
        .collect();
    near.sort();
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, id)| id).collect()
}

pub fn retired(model: &Model) -> String {
    let since = model.lifecycle.sunset_at.map(|date| format!(" since {date}")).unwrap_or_default();
    format!("{} is retired{since}{}", model.id, instead(model))
}

/// A sentence for a model that is on its way out, and none for a current one.
pub fn warnings(model: &Model, now_unix: i64) -> Vec<String> {
    let life = &model.lifecycle;
    if !life.is_deprecated(now_unix) && !life.is_retired(now_unix) {
        return Vec::new();
    }
    if life.is_retired(now_unix) {
        return vec![format!("model: {}; only test keys can still use it", retired(model))];
    }
    let end = life.sunset_at.map(|date| format!(" and ends on {date}")).unwrap_or_default();
    vec![format!("model: {} is deprecated{end}{}", model.id, instead(model))]
}

fn instead(model: &Model) -> String {
    let replacement = model.lifecycle.replacement.as_deref();
    replacement.map(|id| format!("; use {id}")).unwrap_or_default()
}
