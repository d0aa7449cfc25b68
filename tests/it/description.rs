//! The description is true: every example of it is sent to a running server, and every answer is held to its schema.
//!
//! A new operation needs one entry in `api/src/http/description/examples.json`; what it needs to work is in [`Fixtures`].

mod fixtures;

use std::collections::{BTreeMap, BTreeSet};

use reelmeter::http;
use reelmeter::http::description::{self, Example, examples};
use reelmeter::ledger::fan_out::{KINDS, TEST};
use reqwest::{Method, Response};
use serde_json::{Map, Value, json};
use tests::{TestApp, on_both_engines};

use fixtures::Fixtures;

on_both_engines!(
    every_example_works_as_it_is_described,
    every_example_is_refused_to_nobody_as_it_is_described,
    the_description_is_served_without_a_key_and_not_sent_twice,
    the_page_brings_everything_itself_and_lets_nothing_else_in,
);

/// An operation of the document.
pub struct Operation<'a> {
    method: String,
    path: &'a str,
    value: &'a Value,
}

impl<'a> Operation<'a> {
    fn id(&self) -> &'a str {
        self.value["operationId"].as_str().unwrap_or_default()
    }

    fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        self.value["parameters"].as_array().into_iter().flatten()
    }

    fn takes(&self, scheme: &str) -> bool {
        self.value["security"].as_array().into_iter().flatten().any(|way| way.get(scheme).is_some())
    }
}

fn document() -> Value {
    http::openapi().expect("the description is made")
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&'_ String, &'_ Value)| -> Vec<(String, String)> {
        let names = methods.as_object().expect("operations").keys();
        names.map(|method| (path.clone(), method.clone())).collect()
    };
    let names: Vec<(String, String)> = paths.iter().flat_map(of_path).collect();
    let find = |(path, method): (String, String)| {
        let (path, methods) = paths.get_key_value(&path).expect("a path");
        Operation { method: method.to_uppercase(), path, value: &methods[&method] }
    };
    names.into_iter().map(find).collect()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The schema of one place of the document, with everything that it refers to.
fn schema_at(document: &Value, pointer: &str) -> Value {
    let resolved = document.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"));
    let mut schema = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"] });
    schema.as_object_mut().unwrap().extend(resolved.as_object().expect("a schema").clone());
    schema
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(schema);
    let validator = validator.unwrap_or_else(|error| panic!("the schema is none: {error}"));
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Nothing may be answered that is not described, though clients must bear it: every described object is closed.
fn closed(document: &Value) -> Value {
    let mut document = document.clone();
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
    }
    document
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Holds an answer to what is said about this operation and status.
async fn faults_of_answer(document: &Value, operation: &Operation<'_>, answer: Response) -> Vec<String> {
    let (id, status) = (operation.id(), answer.status().as_u16());
    let Some((pointer, response)) = response_at(document, operation, status) else {
        return vec![format!(
            "{id}: answered with {status}, which it does not declare: {}",
            answer.text().await.unwrap()
        )];
    };
    let undeclared = undeclared_headers(document, response, &answer).into_iter();
    let mut faults: Vec<String> = undeclared
        .map(|name| format!("{id}: {status} has the header {name}, which is not declared"))
        .collect();
    let media_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let media_type = media_type.as_deref().unwrap_or_default().split(';').next().unwrap().to_owned();
    let is_head = operation.method == "HEAD";
    if response.get("content").is_some_and(|content| content.get(&media_type).is_none()) && !is_head {
        faults.push(format!("{id}: {status} is {media_type:?}, which it does not declare"));
    } else if is_json(&media_type) && !is_head {
        let body: Value = answer.json().await.expect("JSON");
        let schema =
            schema_at(&closed(document), &format!("{pointer}/content/{}/schema", escape(&media_type)));
        faults.extend(
            violations(&schema, &body)
                .into_iter()
                .map(|fault| format!("{id}: {status} {fault}\n  in {body}")),
        );
    }
    faults
}

/// The declared response to a status, and where it is.
fn response_at<'a>(
    document: &'a Value,
    operation: &Operation<'a>,
    status: u16,
) -> Option<(String, &'a Value)> {
    let response = operation.value["responses"].get(status.to_string())?;
    if let Some(reference) = response["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap().to_owned();
        let response = document.pointer(&pointer)?;
        return Some((pointer, response));
    }
    let method = operation.method.to_lowercase();
    Some((format!("/paths/{}/{method}/responses/{status}", escape(operation.path)), response))
}

/// Headers that HTTP itself brings, and those for the browser's safety, need no words.
const ORDINARY: [&str; 7] = [
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "referrer-policy",
    "transfer-encoding",
    "x-content-type-options",
];

fn undeclared_headers(document: &Value, response: &Value, answer: &Response) -> Vec<String> {
    let declared = response["headers"].as_object().cloned().unwrap_or_default();
    let shared = document["components"]["headers"].as_object().unwrap();
    assert!(declared.keys().all(|name| shared.contains_key(name)), "{declared:?}");
    let declared: BTreeSet<String> = declared.keys().map(|name| name.to_lowercase()).collect();
    let sent = answer.headers().keys().map(|name| name.as_str().to_owned());
    sent.filter(|name| !declared.contains(name) && !ORDINARY.contains(&name.as_str())).collect()
}

async fn every_example_works_as_it_is_described(app: TestApp) -> TestApp {
    let (document, examples, mut faults) = (document(), examples().unwrap(), Vec::new());
    let fixtures = Fixtures::new(app).await;
    for operation in operations(&document) {
        let Some(example) = examples.get(operation.id()) else { continue };
        let answer = fixtures.send(&operation, example, false).await;
        if answer.status().as_u16() == example.status {
            faults.extend(faults_of_answer(&document, &operation, answer).await);
        } else {
            let (id, status) = (operation.id(), answer.status());
            let body = answer.text().await.unwrap();
            faults.push(format!(
                "{id}: its example is answered with {status} instead of {}: {body}",
                example.status
            ));
        }
    }
    report(&faults);
    fixtures.app
}

async fn every_example_is_refused_to_nobody_as_it_is_described(app: TestApp) -> TestApp {
    let (document, examples, mut faults) = (document(), examples().unwrap(), Vec::new());
    let fixtures = Fixtures::new(app).await;
    let secured = |operation: &&Operation<'_>| operation.takes("bearer") || operation.takes("session");
    for operation in operations(&document).iter().filter(secured) {
        let Some(example) = examples.get(operation.id()) else { continue };
        let answer = fixtures.send(operation, example, true).await;
        if answer.status() == 401 {
            faults.extend(faults_of_answer(&document, operation, answer).await);
        } else {
            faults.push(format!("{}: to nobody it answers with {}", operation.id(), answer.status()));
        }
    }
    report(&faults);
    fixtures.app
}

#[test]
fn every_operation_has_an_example_that_its_schemas_take() {
    let (document, mut examples, mut faults) = (document(), examples().unwrap(), Vec::new());
    for operation in operations(&document) {
        let id = operation.id();
        match examples.remove(id) {
            Some(example) => faults.extend(faults_of_example(&document, &operation, &example)),
            None => faults.push(format!(
                "{id} ({} {}) has no example: add \"{id}\" to api/src/http/description/examples.json",
                operation.method, operation.path
            )),
        }
    }
    faults.extend(examples.keys().map(|id| format!("examples.json has {id}, which is no operation")));
    report(&faults);
}

fn faults_of_example(document: &Value, operation: &Operation<'_>, example: &Example) -> Vec<String> {
    let (id, method) = (operation.id(), operation.method.to_lowercase());
    let place = format!("/paths/{}/{method}", escape(operation.path));
    let mut faults = Vec::new();
    let mut check =
        |what: &str, pointer: String, value: Option<&Value>| match (document.pointer(&pointer), value) {
            (Some(_), Some(value)) => {
                let schema = schema_at(&closed(document), &pointer);
                faults.extend(
                    violations(&schema, value)
                        .into_iter()
                        .map(|fault| format!("{id}: its example's {what}: {fault}")),
                );
            }
            (Some(_), None) => faults.push(format!("{id}: its example has no {what}")),
            (None, Some(_)) => {
                faults.push(format!("{id}: its example has a {what}, but the operation has none"))
            }
            (None, None) => {}
        };
    let json = |body: &str| {
        let contents = document.pointer(&format!("{place}/{body}/content")).and_then(Value::as_object);
        let kinds = contents.into_iter().flatten().map(|(media_type, _)| media_type);
        let kind = kinds.filter(|media_type| is_json(media_type)).map(|media_type| escape(media_type)).next();
        format!("{place}/{body}/content/{}/schema", kind.unwrap_or_default())
    };
    check("body", json("requestBody"), example.body.as_ref());
    check("response", json(&format!("responses/{}", example.status)), example.response.as_ref());
    let mut unknown: BTreeSet<&str> = example.parameters.keys().map(String::as_str).collect();
    for (n, parameter) in operation.parameters().enumerate() {
        let name = parameter["name"].as_str().unwrap();
        unknown.remove(name);
        if parameter["required"] == true || example.parameters.contains_key(name) {
            check(
                &format!("parameter {name}"),
                format!("{place}/parameters/{n}/schema"),
                example.parameters.get(name),
            );
        }
    }
    faults.extend(
        unknown
            .into_iter()
            .map(|name| format!("{id}: its example has a parameter {name}, but the operation has none")),
    );
    faults
}

#[test]
fn every_operation_is_named_once_and_declares_what_it_takes() {
    let (document, mut seen, mut faults) = (document(), BTreeSet::new(), Vec::new());
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(&document) {
        let (id, name) = (operation.id(), format!("{} {}", operation.method, operation.path));
        if id.is_empty() || !seen.insert(id.to_owned()) {
            faults.push(format!("{name}: its operationId {id:?} is missing or not its own"));
        }
        for part in ["summary", "tags", "x-code-samples"] {
            if operation.value.get(part).is_none() {
                faults.push(format!("{name}: no {part}"));
            }
        }
        let declared = operation.parameters().filter(|parameter| parameter["in"] == "path");
        let declared: BTreeSet<&str> = declared.filter_map(|parameter| parameter["name"].as_str()).collect();
        let named: BTreeSet<&str> =
            operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        if declared != named {
            faults.push(format!("{name}: declares the path parameters {declared:?}"));
        }
        found.entry(operation.path).or_default().insert(operation.method);
    }
    let served: BTreeMap<&str, BTreeSet<String>> = http::PATHS
        .iter()
        .map(|(path, methods)| (*path, methods.iter().map(ToString::to_string).collect()))
        .collect();
    report(&faults);
    assert_eq!(found, served, "paths of the description and of http::PATHS");
}

/// Every object of the document with its place.
fn visit(value: &Value, place: &str, see: &mut impl FnMut(&str, &Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(place, members);
            for (name, member) in members {
                visit(member, &format!("{place}/{}", escape(name)), see);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| visit(item, &format!("{place}/{n}"), see))
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_nothing_of_the_old_version_is_left() {
    let (document, mut faults) = (document(), Vec::new());
    assert_eq!(document["openapi"], "3.1.0");
    visit(&document, "", &mut |place, object| {
        let reference = object.get("$ref").and_then(Value::as_str);
        if let Some(reference) = reference
            && reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)).is_none()
        {
            faults.push(format!("{place}: nothing at {reference}"));
        }
        let old = object.iter().find(|(key, value)| match key.as_str() {
            "nullable" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_boolean(),
            "format" => *value == "binary" || value.as_str().is_some_and(|format| format.starts_with("uint")),
            _ => false,
        });
        faults.extend(old.map(|(key, _)| format!("{place}: {key} is a word of OpenAPI 3.0")));
    });
    report(&faults);
}

#[test]
fn every_component_is_used_and_every_schema_is_one() {
    let document = document();
    let mut used = BTreeSet::new();
    visit(&document, "", &mut |_, object| {
        used.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    for kind in ["schemas", "responses", "headers", "parameters"] {
        for (name, component) in document["components"][kind].as_object().unwrap() {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "nobody uses {kind}/{name}");
            if kind == "schemas" {
                let schema = schema_at(&document, &format!("/components/schemas/{name}"));
                jsonschema::draft202012::meta::validate(component)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
}

#[test]
fn the_webhooks_examples_are_what_their_schema_says() {
    let document = document();
    let webhooks = document["webhooks"].as_object().unwrap();
    let names: Vec<&String> = webhooks.keys().collect();
    let told: Vec<&str> = KINDS.into_iter().chain([TEST]).collect();
    assert_eq!(names, told);
    for (name, webhook) in webhooks {
        let content = &webhook["post"]["requestBody"]["content"]["application/json"];
        let example = &content["examples"]["example"]["value"];
        assert_eq!(example["type"], **name);
        let schema = content["schema"]["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
        let schema = schema_at(&closed(&document), schema);
        assert_eq!(violations(&schema, example), [""; 0]);
    }
}

/// The codes of `ApiError::facts`, read from its source: an enum can't list its variants.
fn codes_of_source() -> BTreeSet<(u16, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/src/http/error.rs");
    let source = std::fs::read_to_string(path).unwrap();
    let (_, facts) = source.split_once("fn facts(&self)").unwrap();
    let (facts, _) = facts.split_once("pub fn is_retryable").unwrap();
    let statuses: BTreeMap<String, u16> = (400..600)
        .filter_map(|n| Some((reqwest::StatusCode::from_u16(n).ok()?.canonical_reason()?, n)))
        .map(|(reason, n)| (reason.to_uppercase().replace([' ', '-'], "_"), n))
        .collect();
    let fact = |text: &str| {
        let (status, rest) = text.split_once(',').unwrap();
        (statuses[status], rest.split('"').nth(1).unwrap().to_owned())
    };
    facts.split("(S::").skip(1).map(fact).collect()
}

#[test]
fn every_code_of_an_error_is_described_with_its_status_and_no_other_is() {
    let described: BTreeSet<(u16, String)> =
        description::codes().map(|(status, code)| (status, code.to_owned())).collect();
    assert_eq!(described, codes_of_source());
}

#[test]
fn the_yaml_is_the_same_document() {
    let document = document();
    let yaml = description::yaml(&document).unwrap();
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, document);
}

async fn the_description_is_served_without_a_key_and_not_sent_twice(app: TestApp) -> TestApp {
    for (path, _) in description::PATHS {
        let url = format!("{}{path}", app.url);
        let first = app.client.get(&url).send().await.unwrap();
        assert_eq!(first.status(), 200, "{path}");
        let etag = first.headers()["etag"].clone();
        let again = app.client.get(&url).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.headers()["etag"] == etag), (304, true), "{path}");
        let head = app.client.head(&url).send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-type"]),
            (200, &first.headers()["content-type"])
        );
        let other = app.client.post(&url).send().await.unwrap();
        assert_eq!(
            (other.status().as_u16(), &other.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let served = app.send(None, Method::GET, "/openapi.json", None, &[]).await.expect(200);
    assert_eq!(served, document());
    let old = app.send(None, Method::GET, "/openapi-3.0.json", None, &[]).await.expect(200);
    assert_eq!(old["openapi"], "3.0.0");
    app
}

async fn the_page_brings_everything_itself_and_lets_nothing_else_in(app: TestApp) -> TestApp {
    let page = app.client.get(format!("{}/docs", app.url)).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = page.text().await.unwrap();
    assert!(!html.contains("src=\"http") && !html.contains("//cdn"), "{html}");
    let parts = html.split(['"']).filter(|part| part.starts_with("docs/"));
    let parts: Vec<&str> = parts.collect();
    assert_eq!(parts.len(), 3, "{html}");
    for part in parts {
        let file = app.client.get(format!("{}/{part}", app.url)).send().await.unwrap();
        assert_eq!(file.status(), 200, "{part}");
        assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{part}");
    }
    app
}
