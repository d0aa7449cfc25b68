//! What is in `deploy/` fits the program: the settings that it names are settings, what it asks is served, and what an image
//! is built from is all there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{reelmeter, text};

type Settings = BTreeMap<String, String>;

/// The longest that a stop takes, in seconds.
const STOP_S: u64 = 10;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Everything below a folder, by its path from the root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// What follows a prefix at the beginning of a line.
fn lines_with<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim_start().strip_prefix(prefix)).map(str::trim)
}

fn known_settings() -> BTreeSet<String> {
    let example = read("deploy/reelmeter.example.toml");
    let names = lines_with(&example, "#").filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| format!("REELMETER_{}", name.to_uppercase())).collect()
}

fn settings_named_in(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("REELMETER_").filter_map(|(at, prefix)| {
        let name: String = text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        (name != prefix).then_some(name)
    })
}

#[test]
fn every_setting_that_is_named_is_one() {
    let known = known_settings();
    assert!(known.contains("REELMETER_LISTEN"), "{known:?}");
    let mut read_in = files("deploy");
    read_in.extend(files("docs").into_iter().filter(|path| path.ends_with(".md")));
    read_in.push("README.md".into());
    let mut unknown = Vec::new();
    for path in read_in {
        let named = settings_named_in(&read(&path)).collect::<BTreeSet<_>>();
        let is_unknown = |name: &&String| !known.contains(*name) && !name.starts_with("REELMETER_PROVIDER_");
        unknown.extend(named.iter().filter(is_unknown).map(|name| format!("{path}: {name}")));
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
}

/// A file of `NAME=VALUE`, with the values that a person has to fill in.
fn filled_in(path: &str) -> Settings {
    let text = read(path);
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let mut settings: Settings = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in [
        ("SITE_ADDRESS", "api.example.com".to_owned()),
        ("POSTGRES_PASSWORD", "0123".to_owned()),
        ("REELMETER_SECRET", format!("k1:{}", "5a".repeat(32))),
    ] {
        if let Some(empty) = settings.get_mut(name) {
            assert_eq!(empty, "", "{path} brings a value for {name}");
            *empty = value;
        }
    }
    settings
}

/// The program reads all of its settings before it does anything; this command does nothing to a database.
async fn is_started_with(settings: &Settings) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = reelmeter(folder.path(), &["pricing", "check"]);
    let output = command.envs(settings).output().await.unwrap();
    assert!(output.status.success(), "{settings:?}: {}", text(&output.stderr));
}

#[tokio::test]
async fn the_example_for_units_starts_the_program_once_its_secret_is_filled_in() {
    let settings = filled_in("deploy/reelmeter.example.env");
    is_started_with(&settings).await;
    let unit = read("deploy/systemd/reelmeter-api@.service").replace("%i", "8081");
    let of_unit = lines_with(&unit, "Environment=").flat_map(|line| line.split(' '));
    let of_unit: Settings = of_unit
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(of_unit.keys().all(|name| !settings.contains_key(name)), "a file would win over the unit");
    is_started_with(&settings.into_iter().chain(of_unit).collect()).await;
}

/// The services of `compose.yaml`.
fn services() -> serde_json::Map<String, Value> {
    let compose: Value = serde_saphyr::from_str(&read("deploy/compose.yaml")).unwrap();
    compose["services"].as_object().unwrap().clone()
}

/// Puts values in the place of `${NAME:?…}` and `${NAME:-default}`.
fn interpolated(text: &str, values: &Settings) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (variable, after) = rest.split_once('}').unwrap();
    let (name, otherwise) = variable.split_once(':').unwrap();
    let value = match (values.get(name), otherwise.strip_prefix('-')) {
        (Some(value), _) => value.as_str(),
        (None, Some(default)) => default,
        (None, None) => panic!("nobody is asked for {name}"),
    };
    format!("{before}{value}{}", interpolated(after, values))
}

#[tokio::test]
async fn every_service_starts_the_program_once_the_example_is_filled_in() {
    let values = filled_in("deploy/compose.example.env");
    let ours = services().into_iter().filter(|(_, service)| service["image"] == "reelmeter");
    let ours: Vec<(String, Value)> = ours.collect();
    assert_eq!(ours.len(), 5, "{ours:?}");
    for (name, service) in ours {
        let environment = service["environment"].as_object().unwrap_or_else(|| panic!("{name}"));
        let set = environment.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap()));
        let set: Settings = set.map(|(name, value)| (name, interpolated(value, &values))).collect();
        is_started_with(&values.clone().into_iter().chain(set).collect()).await;
    }
}

#[test]
fn every_file_that_a_service_reads_is_there() {
    let services = services();
    let mounted = services.values().flat_map(|service| service["volumes"].as_array().into_iter().flatten());
    let local = mounted.filter_map(|volume| volume.as_str()?.strip_prefix("./")?.split(':').next());
    let local: Vec<&str> = local.collect();
    assert_eq!(local, ["Caddyfile", "postgresql.conf", "redis.conf"]);
    for file in local {
        read(&format!("deploy/{file}"));
    }
}

/// The paths of URLs on this machine, and of the proxy's `health_uri`.
fn paths_asked_for(text: &str) -> Vec<String> {
    let urls = text.split("http://127.0.0.1:").skip(1).filter_map(|rest| rest.split_once('/'));
    let paths = urls.map(|(_, path)| path).chain(text.split("health_uri /").skip(1));
    paths.map(|path| format!("/{}", path.split(['"', '\n']).next().unwrap())).collect()
}

#[test]
fn each_health_check_asks_what_is_served() {
    let openapi: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    for (file, expected) in [
        ("deploy/Dockerfile", &["/readyz"][..]),
        ("deploy/Caddyfile", &["/readyz"]),
        // The second one is the proxy's own.
        ("deploy/compose.yaml", &["/healthz", "/config/"]),
    ] {
        let asked = paths_asked_for(&read(file));
        assert_eq!(asked, expected, "{file}");
        assert!(openapi["paths"][&asked[0]]["get"].is_object(), "{file} asks for {}", asked[0]);
    }
}

#[test]
fn whoever_stops_a_process_waits_longer_than_it_takes() {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    let common = read("deploy/systemd/reelmeter-.service.d/10-common.conf");
    assert!(lines_with(&common, "TimeoutStopSec=").all(|limit| seconds(limit) > STOP_S));
    assert_eq!(lines_with(&common, "TimeoutStopSec=").count(), 1);
    for (name, service) in services() {
        if service["image"] == "reelmeter" {
            assert!(seconds(service["stop_grace_period"].as_str().unwrap()) > STOP_S, "{name}");
        }
    }
}

#[test]
fn the_image_is_built_by_the_workspace_s_compiler() {
    let workspace = read("Cargo.toml");
    let version = lines_with(&workspace, "rust-version = ").next().unwrap().trim_matches('"');
    let dockerfile = read("deploy/Dockerfile");
    let base = lines_with(&dockerfile, "FROM rust:").next().unwrap();
    assert!(base.starts_with(&format!("{version}-")), "{base}, and not {version}");
}

#[test]
fn an_image_is_built_from_what_the_build_needs_and_from_nothing_else() {
    let ignore = read(".dockerignore");
    let sent: BTreeSet<&str> = lines_with(&ignore, "!").collect();
    assert!(ignore.lines().any(|line| line == "*"), "what is not named must stay out");
    let workspace = read("Cargo.toml");
    let members = lines_with(&workspace, "members = ").next().unwrap();
    let members = members.trim_matches(['[', ']']).split(", ").map(|member| member.trim_matches('"'));
    let needed: BTreeSet<&str> = members
        .map(|member| member.split('/').next().unwrap())
        .chain(["Cargo.toml", "Cargo.lock", "catalog", "pricing.toml"])
        .collect();
    assert_eq!(sent, needed);
    assert!(sent.iter().all(|path| root().join(path).exists()), "{sent:?}");
}
