use super::*;

#[test]
fn pixels_are_even_and_the_resolution_names_the_short_side() {
    for (resolution, ratio, size) in [
        ("720p", "16:9", (1280, 720)),
        ("720p", "9:16", (720, 1280)),
        ("480p", "16:9", (854, 480)),
        ("768p", "16:9", (1366, 768)),
        ("512p", "1:1", (512, 512)),
        ("580p", "4:3", (774, 580)),
        ("1080p", "21:9", (2520, 1080)),
        ("2k", "16:9", (2560, 1440)),
        ("4k", "16:9", (3840, 2160)),
        ("4K", "auto", (3840, 2160)),
    ] {
        let (resolution, ratio) = (resolution.parse().unwrap(), ratio.parse().unwrap());
        assert_eq!(dimensions(resolution, ratio), size, "{resolution} {ratio}");
    }
    let odd = AspectRatio::Ratio { width: u16::MAX, height: 1 };
    assert_eq!(dimensions(Resolution::K4, odd), (2160 * 65_535, 2160));
}

#[test]
fn resolutions_ascend_in_pixels_and_print_as_they_are_read() {
    let names = ["360p", "480p", "512p", "540p", "580p", "720p", "768p", "1080p", "1440p", "2k", "4k"];
    let values: Vec<Resolution> = names.iter().map(|name| name.parse().unwrap()).collect();
    assert!(values.windows(2).all(|pair| pair[0] < pair[1] && pair[0].short_side() <= pair[1].short_side()));
    assert_eq!(join(&values), names.join(", "));
}

#[test]
fn ratios_are_two_whole_numbers_or_auto() {
    for text in ["16:9", "9:16", "auto", "21:9"] {
        assert_eq!(text.parse::<AspectRatio>().unwrap().to_string(), text);
    }
    for text in ["", "16", "16:0", "0:9", "16:9:1", "1.85:1", "16 : 9", "+16:9", "016:9", "16x9", "99999:1"] {
        assert!(text.parse::<AspectRatio>().is_err(), "{text:?}");
    }
}

#[test]
fn lists_and_ranges_of_durations_say_what_they_contain() {
    let list = Durations::List(vec![5, 10]);
    let range = Durations::Range { min: 4, max: 6 };
    assert_eq!((list.allowed_text(), range.allowed_text()), ("5, 10".to_owned(), "4 to 6".to_owned()));
    assert_eq!(list.iter().collect::<Vec<_>>(), [5, 10]);
    assert_eq!(range.iter().collect::<Vec<_>>(), [4, 5, 6]);
    assert!(list.contains(10) && !list.contains(7));
    assert!(range.contains(4) && range.contains(6) && !range.contains(3) && !range.contains(7));
}

#[test]
fn names_of_modes_options_and_fields_read_back() {
    for mode in InputMode::ALL {
        assert_eq!(mode.as_str().parse::<InputMode>().unwrap(), mode);
        assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
    }
    for option in OptionName::ALL {
        let word = serde_json::to_value(option).unwrap();
        assert!(option.key().is_none_or(|key| word == key), "{word}");
    }
    assert_eq!("cfgScale".parse::<KnownField>().unwrap(), KnownField::Option(OptionName::CfgScale));
    assert_eq!("seed".parse::<KnownField>().unwrap(), KnownField::Seed);
    assert_eq!(KnownField::Option(OptionName::CfgScale).to_string(), "options.cfg_scale");
    assert_eq!(KnownField::GenerateAudio.to_string(), "generateAudio");
    assert!("cfg_scale".parse::<KnownField>().is_err());
}
