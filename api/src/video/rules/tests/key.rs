use super::*;

#[test]
fn options_are_typed_and_listed() {
    let option = |key: &str, value| GenerateRequest { options: [(key.to_owned(), value)].into(), ..text() };
    for (key, value) in [
        ("cfg_scale", json!(0)),
        ("cfg_scale", json!(0.5)),
        ("cfg_scale", json!(1.0)),
        ("shot_type", json!("customize")),
        ("multi_shot", json!(true)),
        ("keep_audio", json!(false)),
        ("watermark", json!(true)),
        ("camera_control", json!({"type": "simple"})),
        ("elements", json!([{"id": 1}])),
        ("multi_prompt", json!([{"prompt": "a", "duration": 5}])),
    ] {
        assert_eq!(accepted(&option(key, value.clone())).effective.options[key], value);
    }
    for (key, value, words) in [
        ("cfg_scale", json!(1.01), "cfg_scale must be a number from 0 to 1"),
        ("cfg_scale", json!(-0.1), "cfg_scale must be a number"),
        ("cfg_scale", json!("0.5"), "cfg_scale must be a number"),
        ("shot_type", json!(1), "shot_type must be a string"),
        ("multi_shot", json!("true"), "multi_shot must be true or false"),
        ("keep_audio", json!(1), "keep_audio must be true or false"),
        ("watermark", json!(null), "watermark must be true or false"),
        ("camera_control", json!([]), "camera_control must be an object"),
        ("elements", json!({}), "elements must be an array"),
        ("multi_prompt", json!(["a"]), "multi_prompt must be an array of objects"),
        ("zoom", json!(1), "zoom is not allowed; walker-2 takes camera_control, cfg_scale, elements"),
        ("seed", json!(1), "seed has a field of its own: seed"),
        ("negative_prompt", json!("a"), "negative_prompt has a field of its own: negativePrompt"),
    ] {
        one_error(&option(key, value), "options", words);
    }
    let plain = GenerateRequest { model: "plain".into(), ..option("watermark", json!(true)) };
    one_error(&plain, "options", "watermark is not allowed; plain takes no options");
}

fn extra(pairs: &[(&str, Value)]) -> GenerateRequest {
    let extra = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    GenerateRequest { extra, ..text() }
}

#[test]
fn free_keys_are_passed_through_and_bind_the_task_to_routes_that_take_them() {
    let checked = accepted(&extra(&[("style", json!("ink")), ("north_only", json!(1))]));
    assert_eq!(checked.effective.extra.len(), 2);
    assert_eq!(checked.passthrough, ["north_only", "style"].map(String::from).into());
    one_error(
        &extra(&[("south_only", json!(1)), ("north_only", json!(1))]),
        "extra",
        "no route takes these together: north_only, south_only",
    );
}

#[test]
fn keys_that_are_on_no_list_are_refused_with_the_lists() {
    let allowed = "turbo is not allowed; walker-2 takes cfg, mode, n, north_only, not, ratio, secs, seeds, sound, south_only, style";
    one_error(&extra(&[("turbo", json!(1))]), "extra", allowed);
    let plain = GenerateRequest { model: "plain".into(), ..extra(&[("turbo", json!(1))]) };
    one_error(&plain, "extra", "turbo is not allowed; plain takes no extra keys");
}

#[test]
fn a_known_key_becomes_its_field_before_anything_is_priced() {
    let checked = accepted(&extra(&[
        ("sound", json!("off")),
        ("secs", json!("10")),
        ("mode", json!("pro")),
        ("ratio", json!("16:9")),
        ("n", json!(2)),
        ("cfg", json!(0.25)),
        ("seeds", json!(9)),
        ("not", json!("dogs")),
    ]));
    let made = checked.effective;
    assert!(made.extra.is_empty() && checked.passthrough.is_empty() && !made.audio);
    assert_eq!((made.duration_s, made.count, made.seed), (10, 2, Some(9)));
    assert_eq!((made.resolution.as_str(), made.aspect_ratio.to_string().as_str()), ("1080p", "16:9"));
    assert_eq!((made.negative_prompt.as_deref(), &made.options["cfg_scale"]), (Some("dogs"), &json!(0.25)));
}

#[test]
fn providers_words_for_sizes_and_shapes_are_understood() {
    for (key, word, size, ratio) in [
        ("mode", "std", "720p", "9:16"),
        ("mode", "standard", "720p", "9:16"),
        ("mode", "PRO", "1080p", "9:16"),
        ("mode", "high", "1080p", "9:16"),
        ("ratio", "landscape", "720p", "16:9"),
        ("ratio", "portrait", "720p", "9:16"),
    ] {
        let made = accepted(&extra(&[(key, json!(word))])).effective;
        assert_eq!(
            (made.resolution.as_str(), made.aspect_ratio.to_string().as_str()),
            (size, ratio),
            "{word}"
        );
    }
    one_error(&extra(&[("ratio", json!("adaptive"))]), "aspectRatio", "16:9, 9:16");
    let editor = |ratio: &str| GenerateRequest {
        extra: extra(&[("ratio", json!(ratio))]).extra,
        ..with_media("editor", InputMode::VideoExtend, &[MediaRole::SourceVideo])
    };
    assert_eq!(accepted(&editor("adaptive")).effective.aspect_ratio, AspectRatio::Auto);
}

#[test]
fn a_key_for_an_option_that_the_model_does_not_offer_is_not_allowed() {
    let editor = GenerateRequest {
        extra: extra(&[("mark", json!(true))]).extra,
        ..with_media("editor", InputMode::VideoExtend, &[MediaRole::SourceVideo])
    };
    one_error(&editor, "extra", "mark is not allowed; editor takes ratio");
}

#[test]
fn a_known_key_is_held_to_the_rules_of_its_field() {
    for (key, value, field, words) in [
        ("secs", json!(7), "duration", "5, 10 seconds"),
        ("secs", json!(10.5), "extra", "secs can't be read as duration"),
        ("mode", json!("4K"), "resolution", "720p, 1080p"),
        ("sound", json!("loud"), "extra", "sound can't be read as generateAudio"),
        ("n", json!(-1), "extra", "n can't be read as count"),
        ("cfg", json!(2), "options", "cfg_scale must be a number from 0 to 1"),
        ("seeds", json!(-1), "seed", "0 to 4294967295"),
        ("not", json!(1), "extra", "not can't be read as negativePrompt"),
    ] {
        one_error(&extra(&[(key, value)]), field, words);
    }
}

#[test]
fn a_known_key_that_contradicts_its_field_is_refused_with_both_names() {
    let top = || GenerateRequest {
        duration_s: Some(5),
        resolution: Some("720P".into()),
        aspect_ratio: Some("16:9".into()),
        generate_audio: Some(false),
        count: Some(1),
        seed: Some(1),
        negative_prompt: Some("dogs".into()),
        options: [("cfg_scale".to_owned(), json!(0.5))].into(),
        ..text()
    };
    for (key, same, other, name) in [
        ("secs", json!(5), json!(10), "duration"),
        ("mode", json!("std"), json!("pro"), "resolution"),
        ("ratio", json!("16:9"), json!("9:16"), "aspectRatio"),
        ("sound", json!(false), json!("on"), "generateAudio"),
        ("n", json!("1"), json!(2), "count"),
        ("seeds", json!(1), json!(2), "seed"),
        ("not", json!("dogs"), json!("cats"), "negativePrompt"),
        ("cfg", json!(0.5), json!(0.6), "options.cfg_scale"),
    ] {
        accepted(&GenerateRequest { extra: extra(&[(key, same)]).extra, ..top() });
        let contradiction = GenerateRequest { extra: extra(&[(key, other)]).extra, ..top() };
        one_error(&contradiction, "extra", &format!("{key} contradicts {name}"));
    }
}
