//! Kling's paths: each makes one kind of video.

use super::super::gateway::Wish;
use crate::http::query::Word;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    TextToVideo,
    ImageToVideo,
    MultiImageToVideo,
    OmniVideo,
    VideoExtend,
}

const ALL: [Kind; 5] =
    [Kind::TextToVideo, Kind::ImageToVideo, Kind::MultiImageToVideo, Kind::OmniVideo, Kind::VideoExtend];

impl Word for Kind {
    fn all() -> &'static [Kind] {
        &ALL
    }

    fn as_str(self) -> &'static str {
        match self {
            Kind::TextToVideo => "text2video",
            Kind::ImageToVideo => "image2video",
            Kind::MultiImageToVideo => "multi-image2video",
            Kind::OmniVideo => "omni-video",
            Kind::VideoExtend => "video-extend",
        }
    }
}

impl Kind {
    /// Names the path, as [`super::super::Dialect::named`] reads it: its tasks are listed there, and the same idempotency key
    /// and content elsewhere is another request.
    pub fn dialect(self) -> &'static str {
        match self {
            Kind::TextToVideo => "kling/text2video",
            Kind::ImageToVideo => "kling/image2video",
            Kind::MultiImageToVideo => "kling/multi-image2video",
            Kind::OmniVideo => "kling/omni-video",
            Kind::VideoExtend => "kling/video-extend",
        }
    }

    /// The mode, unless what is given decides it.
    pub fn wish(self) -> Option<Wish> {
        match self {
            Kind::TextToVideo => Some(Wish::T2v),
            Kind::ImageToVideo => Some(Wish::I2v),
            Kind::MultiImageToVideo => Some(Wish::MultiI2v),
            Kind::OmniVideo => None,
            Kind::VideoExtend => Some(Wish::Extend),
        }
    }

    /// The model of a body that names none, as Kling documents it.
    pub fn default_model(self) -> &'static str {
        match self {
            Kind::TextToVideo | Kind::ImageToVideo | Kind::VideoExtend => "kling-v1",
            Kind::MultiImageToVideo => "kling-v1-6",
            Kind::OmniVideo => "kling-video-o1",
        }
    }
}

/// Whether a stored name is that of one of these paths.
pub fn is_name(dialect: &str) -> bool {
    ALL.iter().any(|kind| kind.dialect() == dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_s_name_is_the_dialect_s_and_its_word() {
        for kind in ALL {
            assert_eq!(kind.dialect(), format!("kling/{}", kind.as_str()));
            assert!(is_name(kind.dialect()));
        }
        assert!(!is_name("kling") && !is_name("native"));
    }
}
