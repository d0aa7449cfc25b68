//! Ids of models may hold a slash, and people write it as it is: `/api/ai/models/kling/v2-1-pro`. A path has one form inside,
//! in which the id is one part. Jimeng's only path is written with a slash at its end and without.

use std::borrow::Cow;

use poem::Request;
use poem::http::Uri;
use poem::http::uri::PathAndQuery;

const PREFIXES: [&str; 2] = ["/api/ai/models/", "/v1/models/"];
const SCHEMA: &str = "/schema";
const JIMENG: &str = "/jimeng";

/// The path in its one form; any other path as it is.
pub fn folded(path: &str) -> Cow<'_, str> {
    if path.strip_suffix('/') == Some(JIMENG) {
        return JIMENG.to_owned().into();
    }
    let after = |prefix: &&'static str| Some((*prefix, path.strip_prefix(*prefix)?));
    let Some((prefix, rest)) = PREFIXES.iter().find_map(after) else { return path.into() };
    let (id, tail) = rest.strip_suffix(SCHEMA).map_or((rest, ""), |id| (id, SCHEMA));
    if id.contains('/') { format!("{prefix}{}{tail}", id.replace('/', "%2F")).into() } else { path.into() }
}

/// The same, on the way to the routes.
pub fn fold(request: &mut Request) {
    if let Cow::Owned(path) = folded(request.uri().path())
        && let Some(uri) = with_path(request.uri(), &path)
    {
        *request.uri_mut() = uri;
    }
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_model_s_id_and_jimeng_s_last_slash_are_folded() {
        for (path, expected) in [
            ("/jimeng/", "/jimeng"),
            ("/jimeng", "/jimeng"),
            ("/jimeng/x", "/jimeng/x"),
            ("/api/ai/models/kling/v2-1", "/api/ai/models/kling%2Fv2-1"),
            ("/api/ai/models/kling/v2-1/schema", "/api/ai/models/kling%2Fv2-1/schema"),
            ("/api/ai/models/a/b/c/schema", "/api/ai/models/a%2Fb%2Fc/schema"),
            ("/api/ai/models/kling%2Fv2-1/schema", "/api/ai/models/kling%2Fv2-1/schema"),
            ("/api/ai/models/sora", "/api/ai/models/sora"),
            ("/api/ai/models/sora/schema", "/api/ai/models/sora/schema"),
            ("/api/ai/models/schema", "/api/ai/models/schema"),
            ("/api/ai/models/", "/api/ai/models/"),
            ("/api/ai/models", "/api/ai/models"),
            ("/api/ai/modelsx/a/b", "/api/ai/modelsx/a/b"),
            ("/api/ai/tasks/a/b", "/api/ai/tasks/a/b"),
        ] {
            assert_eq!(folded(path), expected, "{path}");
        }
    }

    #[test]
    fn a_query_stays_with_its_path() {
        let uri = Uri::from_static("/api/ai/models/a/b?x=1%2F2");
        let mut request = Request::builder().uri(uri).finish();
        fold(&mut request);
        assert_eq!(request.uri().to_string(), "/api/ai/models/a%2Fb?x=1%2F2");
    }
}
