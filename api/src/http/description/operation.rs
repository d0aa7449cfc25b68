//! One operation of the document, and the patterns by which the tables of this folder name operations.

use serde_json::Value;

/// An operation and where it is.
#[derive(Debug)]
pub struct Operation<'a> {
    /// In capitals.
    pub method: String,
    pub path: &'a str,
    pub value: &'a mut Value,
}

const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

/// The operations that make a task.
pub const SUBMITTING: [&str; 10] = [
    "POST /api/ai/video/generate",
    "POST /v1/videos",
    "POST /v1/videos/edits",
    "POST /v1/videos/extensions",
    "POST /v1/videos/{id}/remix",
    "POST /api/actions/{name}",
    "POST /api/v1/jobs/createTask",
    "POST /v1/video/generations",
    "POST /kling/v1/videos/{kind}",
    "POST /jimeng",
];

/// Every operation of a document, path by path.
pub fn operations(document: &mut Value) -> impl Iterator<Item = Operation<'_>> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flatten();
        let operations = methods.filter(|(method, _)| METHODS.contains(&method.as_str()));
        operations.map(move |(method, value)| Operation { method: method.to_uppercase(), path, value })
    })
}

impl Operation<'_> {
    pub fn id(&self) -> &str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    pub fn has_body(&self) -> bool {
        self.value.get("requestBody").is_some()
    }

    /// Whether it takes anything that can be wrong: a body, or a parameter outside the path.
    pub fn has_input(&self) -> bool {
        let parameters = self.value.get("parameters").and_then(Value::as_array);
        self.has_body() || parameters.into_iter().flatten().any(|parameter| parameter["in"] != "path")
    }

    /// Whether it asks who is calling.
    pub fn is_secured(&self) -> bool {
        self.schemes().next().is_some()
    }

    pub fn makes_task(&self) -> bool {
        self.is_any_of(&SUBMITTING)
    }

    /// Whether this is one of the ways to say who is calling.
    pub fn takes(&self, scheme: &str) -> bool {
        self.schemes().any(|known| known == scheme)
    }

    fn schemes(&self) -> impl Iterator<Item = &str> {
        let ways = self.value.get("security").and_then(Value::as_array).into_iter().flatten();
        ways.filter_map(Value::as_object).flat_map(|way| way.keys().map(String::as_str))
    }

    pub fn is_any_of(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.is(pattern))
    }

    /// `METHOD path`: `*` is any method, and a `*` at the end any end of the path.
    fn is(&self, pattern: &str) -> bool {
        let Some((method, path)) = pattern.split_once(' ') else { return false };
        let same_path = match path.strip_suffix('*') {
            Some(start) => self.path.starts_with(start),
            None => self.path == path,
        };
        same_path && (method == "*" || method == self.method)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_named_by_pattern() {
        let mut document = json!({ "paths": { "/tasks/{id}": { "get": {}, "summary": "no operation" } } });
        let operations: Vec<_> = operations(&mut document).collect();
        let [operation] = &operations[..] else { panic!("{operations:?}") };
        for (pattern, fits) in [
            ("GET /tasks/{id}", true),
            ("* /tasks/{id}", true),
            ("GET /tasks*", true),
            ("POST /tasks/{id}", false),
            ("GET /tasks", false),
            ("GET /task/*", false),
        ] {
            assert_eq!(operation.is_any_of(&[pattern]), fits, "{pattern}");
        }
    }
}
