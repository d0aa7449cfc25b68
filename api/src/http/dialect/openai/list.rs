//! A page of `GET /v1/videos`.

use entity::AccountId;
use poem_openapi::Object;

use super::view::{Video, video, video_id};
use crate::app::App;
use crate::http::error::ApiError;
use crate::http::query::{OneOf, Word};
use crate::http::value::Bounded;
use crate::video::list::{Direction, Filter};

/// A page of videos.
#[derive(Debug, Object)]
pub struct VideoList {
    /// Always `list`.
    object: String,
    data: Vec<Video>,
    #[oai(nullable)]
    first_id: Option<String>,
    /// Send it as `after` for the next page.
    #[oai(nullable)]
    last_id: Option<String>,
    has_more: bool,
}

pub type PageLimit = Bounded<0, 100>;

pub fn twenty() -> PageLimit {
    Bounded(20)
}

impl Word for Direction {
    fn all() -> &'static [Direction] {
        &[Direction::Asc, Direction::Desc]
    }

    fn as_str(self) -> &'static str {
        match self {
            Direction::Asc => "asc",
            Direction::Desc => "desc",
        }
    }
}

pub fn newest_first() -> OneOf<Direction> {
    OneOf(Direction::Desc)
}

/// A page after a video, which must be one of the account's.
pub async fn page(
    app: &App,
    account: AccountId,
    limit: u32,
    after: Option<&str>,
    direction: Direction,
) -> Result<VideoList, ApiError> {
    let after = match after.filter(|after| !after.is_empty()) {
        None => None,
        Some(text) => {
            let unknown = || ApiError::field("after", "Must be the id of one of your videos");
            let id = text.parse().map_err(|_| unknown())?;
            Some(app.video.place(account, id).await?.ok_or_else(unknown)?)
        }
    };
    let page = app.video.tasks(account, &Filter::default(), after, (limit as usize, direction)).await?;
    let ids: Vec<String> = page.tasks.iter().map(|view| video_id(view.task.id)).collect();
    Ok(VideoList {
        object: "list".into(),
        data: page.tasks.iter().map(|view| video(app, view)).collect(),
        first_id: ids.first().cloned(),
        last_id: ids.last().cloned(),
        has_more: page.next.is_some() && limit > 0,
    })
}
