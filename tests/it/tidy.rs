//! The house rules that a machine can hold: which room may use which, and which names stay in their room.

use std::fs;
use std::path::{Path, PathBuf};

use reelmeter::provider::registry::ADAPTERS;
use reelmeter::video::catalog::Catalog;

/// A room, and the rooms it must never use.
const FORBIDDEN_ARROWS: [(&str, &[&str]); 6] = [
    ("http", &["provider", "worker", "command"]),
    ("worker", &["http", "command"]),
    ("customer", &["http", "video", "worker", "provider", "command", "app"]),
    ("video", &["http", "provider", "worker", "customer", "command", "app"]),
    ("provider", &["http", "worker", "customer", "ledger", "db", "command", "app"]),
    ("ledger", &["http", "worker", "customer", "video", "provider", "command", "app"]),
];

/// A crate, and the only places that may name it.
const FOREIGN_NAMES: [(&str, &[&str]); 7] = [
    ("poem", &["http", "command"]),
    ("poem_openapi", &["http"]),
    ("reqwest", &["provider", "media", "worker", "trace"]),
    ("redis", &["wake", "limit"]),
    ("lettre", &["customer"]),
    ("metrics_exporter_prometheus", &["metrics"]),
    ("opentelemetry", &["trace"]),
];

/// Rooms that must not speak SQL.
const NO_SQL: [&str; 2] = ["http", "provider"];

/// The money tables, and the only room that names them outside the entities: everybody else asks the vault.
const MONEY_TABLES: [&str; 6] = ["account", "grant", "hold", "hold_allocation", "transfer", "key_usage"];

/// Lane commands, and the files that may send each.
const SENDERS: [(&str, &[&str]); 8] = [
    ("Command::Accept(", &["video/submit.rs"]),
    ("Command::Settle(", &["video/settle.rs"]),
    ("Command::Cancel(", &["video/settle.rs"]),
    ("Command::Refund(", &["video/settle.rs"]),
    ("Command::Grant(", &["customer/credits.rs"]),
    ("Command::Adjust(", &["customer/credits.rs"]),
    ("Command::Alert(", &["customer/credits.rs"]),
    ("Command::Expire(", &["worker/housekeeping.rs"]),
];

struct Source {
    /// Relative to `api/src`.
    path: String,
    room: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.iter().map(|file| source(&root, file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            collect(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

/// A file without its unit tests, which may use what they need.
fn source(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let room = path.split(['/', '.']).next().unwrap().to_owned();
    let text = fs::read_to_string(file).unwrap();
    let is_test = path.ends_with("tests.rs")
        || path.contains("/tests/")
        || path.ends_with("properties.rs")
        || path.ends_with("orders.rs");
    let code = if is_test { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap() };
    Source { path, room, lines: code.lines().map(str::to_owned).collect() }
}

/// Shows each line of each file below a folder.
pub fn each_line(folder: &Path, show: &mut impl FnMut(&str)) {
    let mut files = Vec::new();
    collect(folder, &mut files);
    for file in files {
        fs::read_to_string(file).unwrap().lines().for_each(&mut *show);
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The rooms that a line of code names: `crate::room…`, also in `use crate::{a, b::…}`.
fn rooms_named(line: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (start, _) in line.match_indices("crate::") {
        let rest = &line[start + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap());
        let parts = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        let word = |part: &str| {
            part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        };
        named.extend(parts.into_iter().map(word));
    }
    named
}

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A line of code without what stands in quotes.
fn without_text(line: &str) -> String {
    line.split('"').step_by(2).collect()
}

fn faults(check: impl Fn(&Source, &str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        for (n, line) in source.lines.iter().enumerate().filter(|(_, line)| !is_comment(line)) {
            found.extend(check(&source, line).map(|fault| format!("{}:{}: {fault}", source.path, n + 1)));
        }
    }
    found
}

#[test]
fn arrows_between_rooms_never_point_back() {
    report(faults(|source, line| {
        let (_, forbidden) = FORBIDDEN_ARROWS.iter().find(|(room, _)| *room == source.room)?;
        let bad = rooms_named(line).into_iter().find(|room| forbidden.contains(&room.as_str()))?;
        Some(format!("{} must not use {bad}", source.room))
    }));
}

/// Where the catalog's providers may be named: their own files, the two that list them, and the dialects, some of which have the
/// names of vendors.
fn may_name_a_provider(path: &str) -> bool {
    let own = ADAPTERS.iter().any(|adapter| path.starts_with(&format!("provider/{}", adapter.name)));
    own || matches!(path, "provider/mod.rs" | "provider/registry.rs") || path.starts_with("http/dialect")
}

/// The one file of http that lists the dialects' modules, and what it says.
const DIALECTS: (&str, [&str; 3]) = ("http/mod.rs", ["openai", "kling", "jimeng"]);

#[test]
fn a_provider_is_named_nowhere_but_in_its_own_room() {
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let catalog = Catalog::load_dir(&catalog).unwrap();
    let live = catalog.providers().iter().filter(|provider| provider.name != "sandbox");
    let names: Vec<&str> = live.map(|provider| provider.name.as_str()).collect();
    report(faults(|source, line| {
        // Paths of the API and examples of models begin like some of them.
        let words = line.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '/' | '.'));
        let is_dialect = |word: &&str| source.path == DIALECTS.0 && DIALECTS.1.contains(word);
        let named = words.filter(|word| !is_dialect(word)).find(|word| names.contains(word))?;
        (source.path.ends_with(".rs") && !may_name_a_provider(&source.path))
            .then(|| format!("{named} is named here"))
    }));
}

#[test]
fn outside_names_stay_in_their_room() {
    report(faults(|source, line| {
        let line = without_text(line);
        let names = |name: &str| {
            let path = format!("{name}::");
            line.match_indices(&path)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
        };
        let (name, _) = FOREIGN_NAMES
            .iter()
            .find(|(name, homes)| names(name) && !homes.contains(&source.room.as_str()))?;
        Some(format!("{name} must not be named in {}", source.room))
    }));
}

#[test]
fn the_front_door_and_the_loading_dock_speak_no_sql() {
    report(faults(|source, line| {
        let speaks = NO_SQL.contains(&source.room.as_str()) && line.contains("sea_orm");
        speaks.then(|| format!("{} must not speak SQL", source.room))
    }));
}

#[test]
fn only_the_vault_names_the_money_tables() {
    report(faults(|source, line| {
        if ["ledger", "migration"].contains(&source.room.as_str()) {
            return None;
        }
        let queried = |table: &&&str| {
            line.contains(&format!("{table}::Entity")) && !line.contains(&format!("_{table}::Entity"))
        };
        let table = MONEY_TABLES.iter().find(queried)?;
        Some(format!("the table {table} is the vault's"))
    }));
}

#[test]
fn each_command_of_the_vault_is_sent_from_one_file() {
    report(faults(|source, line| {
        if source.room == "ledger" {
            return None;
        }
        let (command, _) = SENDERS
            .iter()
            .find(|(command, homes)| line.contains(command) && !homes.contains(&source.path.as_str()))?;
        Some(format!("{command}…) must not be sent from here"))
    }));
}

#[test]
fn a_provider_is_named_only_at_home() {
    let homes = ["provider/mod.rs", "provider/sandbox.rs"];
    report(faults(|source, line| {
        let at_home = homes.contains(&source.path.as_str()) || source.path.starts_with("provider/");
        let named = line.to_lowercase().contains("sandbox");
        (named && !at_home).then(|| "the sandbox is named outside its room".to_owned())
    }));
}
