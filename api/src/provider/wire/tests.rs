use super::*;

#[test]
fn a_key_goes_to_no_address_but_those_below_the_base() {
    for (base, url, is_own) in [
        ("https://api.example/v1", "https://api.example/v1/videos/1/content", true),
        ("https://api.example/v1/", "https://api.example:443/v1/clip.mp4", true),
        ("https://api.example", "https://api.example/clip.mp4", true),
        ("https://api.example/v1", "https://api.example/v10/clip.mp4", false),
        ("https://api.example/v1", "https://api.example/files/clip.mp4", false),
        ("https://api.example/v1", "https://api.example/v1/../files/clip.mp4", false),
        ("https://api.example/v1", "http://api.example/v1/clip.mp4", false),
        ("https://api.example", "https://api.example.other.example/clip.mp4", false),
        ("https://api.example", "https://api.example@other.example/clip.mp4", false),
        ("https://api.example", "https://api.example:8443/clip.mp4", false),
        ("https://api.example", "no address", false),
    ] {
        let wire = Wire::new(Client::new(), base.parse().unwrap());
        let source = wire.clip_at(url.to_owned(), &SecretString::from("key"));
        let ClipSource::Url { url: kept, headers } = source else { panic!("an address") };
        assert_eq!((kept.as_str(), !headers.is_empty()), (url, is_own), "{base}");
    }
}
