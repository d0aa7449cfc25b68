use secrecy::ExposeSecret;

use super::super::{LogFormat, Role};
use super::*;
use crate::media::check_url;

const EXAMPLE_FILE: &str = include_str!("../../../../deploy/reelmeter.example.toml");

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    read(Path::new("/nonexistent/reelmeter.toml"), variables)
}

fn refusal(variables: &[(&str, &str)]) -> String {
    let config = from_environment(variables).and_then(|config| config.check().map(|()| config));
    config.expect_err("the settings are wrong").to_string()
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, text).unwrap();
    read(&path, [])
}

#[test]
fn the_environment_sets_everything() {
    let config = from_environment(&[
        ("REELMETER_LISTEN", "[::1]:9000"),
        ("REELMETER_DATA_DIR", "42"),
        ("REELMETER_LOG", "info,reelmeter=debug"),
        ("REELMETER_LOG_FORMAT", "json"),
        ("REELMETER_ROLE", "api"),
        ("REELMETER_SECRET", "1234567890123456789012345678901234567890123456789012345678e12345"),
        ("REELMETER_TASK_DEADLINE_S", "120"),
        ("REELMETER_DRAIN_S", "30"),
        ("REELMETER_PUBLIC_URL", "https://api.example.com/"),
        ("REELMETER_PROVIDER_ARK_KEY", "0123"),
        ("REELMETER_REDIS_URL", ""),
        ("UNRELATED", "x"),
    ])
    .unwrap();
    assert_eq!(config.listen.to_string(), "[::1]:9000");
    assert_eq!(config.data_dir, Path::new("42"));
    assert_eq!(config.log, "info,reelmeter=debug");
    assert_eq!((config.log_format, config.role, config.task_deadline_s), (LogFormat::Json, Role::Api, 120));
    assert!(config.secret.unwrap().expose_secret().ends_with("e12345"));
    assert_eq!(config.drain_s, Some(30));
    assert_eq!(config.public_url.unwrap().as_str(), "https://api.example.com/");
    assert_eq!(config.providers["provider_ark_key"].expose_secret(), "0123");
    assert!(config.redis_url.is_none());
}

#[test]
fn what_is_wrong_is_said_in_a_sentence_that_names_the_setting() {
    let cases = [
        ("REELMETER_FOO", "1", "REELMETER_FOO is not a setting (deploy"),
        ("REELMETER_LISTEM", "1", "REELMETER_LISTEM is not a setting, did you mean REELMETER_LISTEN?"),
        ("REELMETER_LISTEN", "8080", "REELMETER_LISTEN is wrong: "),
        ("REELMETER_PUBLIC_URL", "example", "REELMETER_PUBLIC_URL is wrong: "),
        ("REELMETER_ROLE", "both", "REELMETER_ROLE is wrong: "),
        ("REELMETER_MAX_BODY_BYTES", "1 MB", "REELMETER_MAX_BODY_BYTES is wrong: a whole number is expected"),
        ("REELMETER_TASK_DEADLINE_S", "5", "REELMETER_TASK_DEADLINE_S must be from 60 to 86400"),
        ("REELMETER_PRIVATE_HOSTS", "10.0.0.7", "REELMETER_PRIVATE_HOSTS is wrong: places such as"),
        ("REELMETER_PRIVATE_HOSTS", "http://x:80", "REELMETER_PRIVATE_HOSTS is wrong: places such as"),
        ("REELMETER_DRAIN_S", "301", "REELMETER_DRAIN_S must be from 0 to 300"),
        ("REELMETER_ROLE", "worker", "REELMETER_ROLE must be all on SQLite"),
        ("REELMETER_DATABASE_URL", "mysql://x", "REELMETER_DATABASE_URL must be sqlite:PATH or postgres://"),
        ("REELMETER_DATABASE_URL", "postgres://x", "REELMETER_SECRET is required on PostgreSQL"),
    ];
    for (name, value, start) in cases {
        let sentence = refusal(&[(name, value)]);
        assert!(sentence.starts_with(start), "{name}={value}: {sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
}

#[test]
fn exactly_the_private_places_that_are_listed_may_be_called() {
    let listed = "hooks.internal:9000, [::1]:9000";
    let config = from_environment(&[("REELMETER_PRIVATE_HOSTS", listed)]).unwrap();
    let may_call = |url: &str| check_url(&url.parse().unwrap(), &config.private_hosts).is_ok();
    assert!(may_call("http://hooks.internal:9000/") && may_call("http://[::1]:9000/"));
    assert!(!may_call("http://hooks.internal:9001/") && !may_call("http://127.0.0.1:9000/"));
}

#[test]
fn a_file_is_read_and_the_environment_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "log = \"warn\"\ntask_deadline_s = 90\nprovider_ark_key = \"k\"\n").unwrap();
    let config = read(&path, [(OsString::from("REELMETER_LOG"), OsString::from("debug"))]).unwrap();
    assert_eq!((config.log.as_str(), config.task_deadline_s), ("debug", 90));
    assert_eq!(config.providers["provider_ark_key"].expose_secret(), "k");
}

#[test]
fn a_mistake_in_the_file_is_named_and_no_secret_is_shown() {
    assert!(
        from_file("lissten = 1")
            .unwrap_err()
            .to_string()
            .starts_with("`lissten` in reelmeter.toml is not a setting")
    );
    let sentence = from_file("secret = \"hush-hush\" x\n").unwrap_err().to_string();
    assert!(sentence.contains("line 1") && !sentence.contains("hush"), "{sentence}");
}

/// The keys of the example file, whether they are set or commented out.
fn example_keys() -> BTreeSet<String> {
    let key = |line: &str| {
        let (key, _) = line.trim_start_matches('#').split_once(" = ")?;
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        is_key.then(|| key.to_owned())
    };
    EXAMPLE_FILE.lines().filter_map(key).collect()
}

/// The settings there are, as a wrong one is told of them.
fn settings() -> BTreeSet<String> {
    let error = Figment::from(Serialized::default("no_such_setting", 1)).extract::<Config>().unwrap_err();
    let Kind::UnknownField(_, known) = error.kind else { panic!("{error}") };
    known.iter().filter(|name| **name != "database").map(ToString::to_string).collect()
}

#[test]
fn the_example_file_documents_each_setting_and_no_other() {
    let (providers, others) = example_keys().into_iter().partition(|key| key.starts_with("provider_"));
    let (_, others): (BTreeSet<String>, BTreeSet<String>) = (providers, others);
    assert_eq!(others, settings());
}

#[test]
fn the_example_file_with_everything_switched_on_is_valid() {
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
    let all: Vec<&str> =
        EXAMPLE_FILE.lines().filter(is_setting).map(|line| line.trim_start_matches('#')).collect();
    assert!(all.len() > 10);
    let config = from_file(&all.join("\n")).unwrap();
    config.check().unwrap();
}
