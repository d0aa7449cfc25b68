use std::collections::BTreeMap;

use super::*;

#[test]
fn the_list_of_paths_is_what_is_served() {
    fn served<T: OpenApi>(_: T) -> BTreeMap<String, Vec<String>> {
        let mut served: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let methods = path.operations.iter().map(|operation| operation.method.to_string());
            served.entry(path.path).or_default().extend(methods);
        }
        served
    }
    let list = PATHS
        .iter()
        .map(|(path, methods)| ((*path).to_owned(), methods.iter().map(ToString::to_string).collect()));
    assert_eq!(served(operations()), list.collect::<BTreeMap<_, _>>());
}

#[test]
fn no_operation_is_taken_for_a_page() {
    let pages: Vec<_> = page_paths().map(routes::beginning).collect();
    for (path, _) in PATHS {
        assert!(!pages.contains(&routes::beginning(path)), "{path}");
    }
}

#[test]
fn the_description_is_the_same_every_time_and_names_every_operation() {
    let document = openapi().unwrap();
    assert_eq!(document.to_string(), openapi().unwrap().to_string());
    for (path, methods) in PATHS {
        for method in *methods {
            let operation = &document["paths"][path][method.to_lowercase()];
            assert!(
                operation["summary"].is_string() && operation["operationId"].is_string(),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn allowed_methods_are_those_of_the_path() {
    for (path, allowed) in [
        ("/api/ai/video/generate", "POST"),
        ("/api/ai/tasks/tsk_1", "GET, DELETE, HEAD"),
        ("/api/ai/models/kling/v2-1-pro/schema", "GET, HEAD"),
        ("/api/ai/tasks/tsk_1/content", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/api/ai/tasks/", ""),
        ("/api/ai", ""),
    ] {
        assert_eq!(allowed_methods(path), allowed, "{path}");
    }
}
