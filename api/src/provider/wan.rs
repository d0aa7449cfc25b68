//! What is the same about Wan at all who offer its vendor's API.

/// Pixels, from the few sizes that there are.
pub fn size(resolution: &str, ratio: &str) -> Result<&'static str, &'static str> {
    let sizes = match resolution {
        "480p" => ["832*480", "480*832", "624*624", "", ""],
        "720p" => ["1280*720", "720*1280", "960*960", "1088*832", "832*1088"],
        "1080p" => ["1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"],
        _ => return Err("there is no such size"),
    };
    let ratios = ["16:9", "9:16", "1:1", "4:3", "3:4"];
    let found = ratios.iter().zip(sizes).find(|(known, _)| **known == ratio).map(|(_, size)| size);
    found.filter(|size| !size.is_empty()).ok_or("there is no such size")
}
