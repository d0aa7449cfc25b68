mod value;

use std::collections::BTreeSet;

use super::*;

const PROVIDERS: &str = r#"
[[provider]]
name = "sandbox"
mode = "test"
models = "all"
[[provider]]
name = "north"
mode = "live"
[[provider]]
name = "south"
mode = "live"
"#;

const MODEL: &str = r#"
[[model]]
id = "walker"
aliases = ["walker-1"]
family = "walker"
modes = ["text_to_video", "image_to_video"]
last_frame = true
durations = [5, 10]
default_duration = 5
resolutions = ["720p", "1080p"]
default_resolution = "720p"
aspect_ratios = ["16:9", "auto"]
default_aspect_ratio = "16:9"
audio = "optional"
default_audio = true
max_images = 2
max_videos = 0
max_audios = 0
prompt_max = 100
lifecycle = { deprecated_at = "2026-08-15", sunset_at = "2026-09-15", replacement = "runner" }
routes = [
  { provider = "north", native_id = "w-n", passthrough = ["style"], priced = { sound = "generateAudio" } },
  { provider = "south", native_id = "w-s", priced = { sound = "generateAudio", cfg = "cfgScale" } },
]
[[model]]
id = "runner"
family = "walker"
modes = ["text_to_video"]
duration_range = [4, 15]
default_duration = 8
resolutions = ["4k"]
default_resolution = "4k"
aspect_ratios = ["16:9"]
default_aspect_ratio = "16:9"
audio = "none"
max_images = 0
max_videos = 0
max_audios = 0
prompt_max = 100
prompt_required = false
count_max = 4
options = ["seed"]
"#;

fn parse(model: &str) -> Result<Catalog, CatalogError> {
    Catalog::parse([("providers.toml", PROVIDERS), ("walker.toml", model)])
}

fn catalog() -> Catalog {
    parse(MODEL).unwrap()
}

#[test]
fn a_model_is_found_by_id_and_alias_and_by_nothing_else() {
    let catalog = catalog();
    assert_eq!(catalog.model("walker").unwrap().id, "walker");
    assert_eq!(catalog.model("walker-1").unwrap().id, "walker");
    for name in ["Walker", "walker ", "", "walker-2"] {
        assert!(catalog.model(name).is_none(), "{name:?}");
    }
}

#[test]
fn left_out_settings_have_their_documented_defaults() {
    let catalog = catalog();
    let (walker, runner) = (catalog.model("walker").unwrap(), catalog.model("runner").unwrap());
    assert!(walker.prompt_required && !runner.prompt_required);
    assert_eq!((walker.count_max, runner.count_max), (1, 4));
    assert!(walker.last_frame && !runner.last_frame);
    assert_eq!(walker.audio, Audio::Optional { default: true });
    assert!(runner.has_option(OptionName::Seed) && walker.options.is_empty());
    assert_eq!(runner.lifecycle, Lifecycle::default());
}

#[test]
fn test_tasks_go_to_the_sandbox_and_live_tasks_to_the_routes_in_order() {
    let catalog = catalog();
    let model = catalog.model("walker-1").unwrap();
    let go = |mode, keys: &[&str]| -> Vec<(String, String)> {
        let keys = keys.iter().map(|key| key.to_string()).collect();
        let found = catalog.routes_for(model, mode, &keys, None);
        found.iter().map(|d| (d.provider.to_owned(), d.native_id.to_owned())).collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(go(Mode::Test, &[]), [pair("sandbox", "walker")]);
    assert_eq!(go(Mode::Test, &["style"]), [pair("sandbox", "walker")]);
    assert_eq!(go(Mode::Live, &[]), [pair("north", "w-n"), pair("south", "w-s")]);
    assert_eq!(go(Mode::Live, &["style"]), [pair("north", "w-n")]);
    assert_eq!(go(Mode::Live, &["style", "other"]), []);
    let runner = catalog.model("runner").unwrap();
    assert!(catalog.routes_for(runner, Mode::Live, &BTreeSet::new(), None).is_empty());
}

#[test]
fn every_contradiction_is_refused_with_its_reason() {
    let cases = [
        (r#"aliases = ["walker-1"]"#, r#"aliases = ["runner"]"#, "the name runner is taken"),
        (r#"aliases = ["walker-1"]"#, r#"aliases = ["walker"]"#, "the name walker is taken"),
        (r#"id = "runner""#, r#"id = "walker""#, "the name walker is taken"),
        (r#"["text_to_video", "image_to_video"]"#, "[]", "modes must be given"),
        (r#"["text_to_video", "image_to_video"]"#, r#"["text_to_video", "text_to_video"]"#, "each once"),
        ("durations = [5, 10]", "durations = []", "durations must ascend"),
        ("durations = [5, 10]", "durations = [5, 5]", "durations must ascend"),
        ("durations = [5, 10]", "duration_range = [10, 5]", "durations must ascend"),
        ("durations = [5, 10]", "durations = [0, 5]", "1 to 3600 seconds"),
        ("durations = [5, 10]", "duration_range = [5, 3601]", "1 to 3600 seconds"),
        ("durations = [5, 10]", "", "one of durations and duration_range"),
        ("durations = [5, 10]", "durations = [5]\nduration_range = [5, 6]", "one of durations"),
        ("default_duration = 5", "default_duration = 6", "default_duration is not allowed"),
        (r#"["720p", "1080p"]"#, "[]", "resolutions must ascend"),
        (r#"["720p", "1080p"]"#, r#"["1080p", "720p"]"#, "resolutions must ascend"),
        (r#"resolution = "720p""#, r#"resolution = "480p""#, "default_resolution is not allowed"),
        (r#"["16:9", "auto"]"#, "[]", "aspect_ratios must be given"),
        (r#"ratio = "16:9""#, r#"ratio = "1:1""#, "default_aspect_ratio is not allowed"),
        ("default_audio = true", "", ""),
        (r#"audio = "optional""#, r#"audio = "always""#, "default_audio is only for optional"),
        ("prompt_max = 100", "prompt_max = 0", "prompt_max must be at least 1"),
        ("count_max = 4", "count_max = 0", "count_max must be at least 1"),
        ("max_images = 2", "max_images = 0", "image_to_video needs max_images"),
        ("max_images = 2", "max_images = 1", "last_frame needs image_to_video and two images"),
        (r#"modes = ["text_to_video"]"#, r#"modes = ["video_extend"]"#, "needs max_videos"),
        (r#"modes = ["text_to_video"]"#, r#"modes = ["reference_to_video"]"#, "needs images or videos"),
        (r#"replacement = "runner""#, r#"replacement = "flyer""#, "the replacement flyer does not exist"),
        (r#"replacement = "runner""#, r#"replacement = "walker""#, "the replacement walker does not"),
        (r#"replacement = "runner""#, r#"replacement = "walker-1""#, "the replacement walker-1 does not"),
        ("2026-09-15", "2026-07-01", "gone before it is deprecated"),
        (r#"provider = "south""#, r#"provider = "west""#, "no live provider west"),
        (r#"provider = "south""#, r#"provider = "sandbox""#, "no live provider sandbox"),
        (r#""south", native_id = "w-s""#, r#""north", native_id = "w-n""#, "is there twice"),
        (r#"cfg = "cfgScale""#, r#"style = "cfgScale""#, "style is both priced and passed through"),
        (r#"sound = "generateAudio", cfg"#, r#"sound = "seed", cfg"#, "sound is priced as several fields"),
    ];
    for (from, to, reason) in cases {
        assert!(MODEL.contains(from), "{from}");
        let outcome = parse(&MODEL.replacen(from, to, 1));
        match outcome {
            Ok(_) => assert_eq!(reason, "", "accepted: {to}"),
            Err(error) => assert!(!reason.is_empty() && error.to_string().contains(reason), "{to}: {error}"),
        }
    }
}

#[test]
fn all_contradictions_are_named_at_once() {
    let text = MODEL.replace("prompt_max = 100", "prompt_max = 0");
    let Err(CatalogError::Inconsistent(problems)) = parse(&text) else { panic!("accepted") };
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn unknown_keys_and_words_are_refused_with_the_files_name() {
    for (from, to) in [
        (r#"family = "walker""#, "family = \"walker\"\nprice = 5"),
        (r#"native_id = "w-n""#, r#"native_id = "w-n", cost = 1"#),
        (r#"replacement = "runner""#, r#"replacement = "runner", since = 1"#),
        ("\"720p\", \"1080p\"", "\"720p\", \"9000p\""),
        ("\"16:9\", \"auto\"", "\"16:9\", \"wide\""),
        ("2026-08-15", "2026-8-15"),
        (r#"audio = "optional""#, r#"audio = "maybe""#),
        (r#"sound = "generateAudio""#, r#"sound = "loudness""#),
    ] {
        let error = parse(&MODEL.replacen(from, to, 1)).unwrap_err();
        assert!(
            matches!(&error, CatalogError::Syntax { file, .. } if file == "walker.toml"),
            "{to}: {error}"
        );
    }
}

#[test]
fn routes_to_one_place_make_different_things() {
    let with = |first: &str, second: &str| {
        let north = format!(r#""w-n", only = {{ {first} }}"#);
        let again = format!(r#""north", native_id = "w-n", only = {{ {second} }}"#);
        let text = MODEL.replacen(r#""w-n""#, &north, 1);
        parse(&text.replacen(r#""south", native_id = "w-s""#, &again, 1))
    };
    let (small, large) = (r#"resolutions = ["720p"]"#, r#"resolutions = ["1080p"], durations = [5]"#);
    let (text, image) = (r#"modes = ["text_to_video"]"#, r#"modes = ["image_to_video"]"#);
    for (first, second, is_fine) in [
        (small, large, true),
        (text, image, true),
        (small, small, false),
        (text, small, false),
        (small, "durations = [5]", false),
    ] {
        assert_eq!(with(first, second).is_ok(), is_fine, "{first}; {second}");
    }
}

#[test]
fn a_provider_is_there_once_and_only_a_test_provider_serves_all_models() {
    let twice = format!("{PROVIDERS}[[provider]]\nname = \"north\"\nmode = \"live\"");
    let all = PROVIDERS.replace("mode = \"test\"", "mode = \"live\"");
    for text in [twice, all] {
        assert!(matches!(Catalog::parse([("p", text)]), Err(CatalogError::Inconsistent(_))));
    }
}

#[test]
fn a_default_model_is_there_and_takes_what_it_is_the_default_for() {
    let with = |line: &str| parse(&format!("default_models = {{ {line} }}\n{MODEL}"));
    let catalog = with("text_to_video = \"runner\"").unwrap();
    assert_eq!(catalog.default_model(InputMode::TextToVideo).unwrap().id, "runner");
    assert!(catalog.default_model(InputMode::ImageToVideo).is_none());
    for line in ["text_to_video = \"flyer\"", "image_to_video = \"runner\"", "text_to_video = \"walker-1\""] {
        assert!(matches!(with(line), Err(CatalogError::Inconsistent(_))), "{line}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = Catalog::load_dir(Path::new("/nowhere/catalog")).unwrap_err();
    assert!(error.to_string().contains("/nowhere/catalog"));
}

#[test]
fn the_sunset_day_itself_is_already_retired() {
    let catalog = catalog();
    let life = &catalog.model("walker").unwrap().lifecycle;
    // 2026-09-15T00:00:00Z
    let sunset = 1_789_430_400;
    assert_eq!(life.sunset_at.unwrap().unix_seconds(), sunset);
    assert!(!life.is_retired(sunset - 1) && life.is_retired(sunset));
    assert!(life.is_deprecated(sunset) && !life.is_deprecated(0));
}
