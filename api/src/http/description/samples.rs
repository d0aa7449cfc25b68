//! The example of an operation as code: curl, Python and JavaScript, with nothing but what comes with them.
//!
//! They read `REEL_HOST` and `REEL_API_KEY`, which `data/demo.env` sets; what only people do, `REEL_COOKIE` (the cookie of a
//! session, such as `session=…`) and `REEL_CSRF` (the token of `GET /api/auth/me`).

use serde_json::{Value, json};

use super::examples::Example;
use super::operation::Operation;

/// A request, ready to be written down.
struct Call {
    method: String,
    /// With the query.
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    credentials: Vec<Credential>,
    answer: Answer,
}

/// A header, what its value begins with, and the variable that the rest comes from.
type Credential = (&'static str, &'static str, &'static str);

const KEY: Credential = ("Authorization", "Bearer ", "REEL_API_KEY");
const COOKIE: Credential = ("Cookie", "", "REEL_COOKIE");
const CSRF: Credential = ("X-CSRF-Token", "", "REEL_CSRF");

/// What is done with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Json,
    Headers,
    /// Goes to a file.
    Clip,
    /// Has no end of its own.
    Stream,
    Nothing,
}

pub fn samples(operation: &Operation<'_>, example: &Example) -> Value {
    let call = Call::of(operation, example);
    json!([
        { "lang": "Shell", "label": "curl", "source": call.curl() },
        { "lang": "Python", "label": "Python", "source": call.python() },
        { "lang": "JavaScript", "label": "Node.js", "source": call.node() },
    ])
}

impl Call {
    fn of(operation: &Operation<'_>, example: &Example) -> Call {
        let mut path = operation.path.to_owned();
        let (mut query, mut headers) = (url::form_urlencoded::Serializer::new(String::new()), Vec::new());
        for (name, place, value) in given(operation, example) {
            match place {
                "path" => path = path.replace(&format!("{{{name}}}"), &value),
                "query" => drop(query.append_pair(name, &value)),
                _ => headers.push((name.to_owned(), value)),
            }
        }
        if example.body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let query = query.finish();
        Call {
            method: operation.method.clone(),
            path: if query.is_empty() { path } else { format!("{path}?{query}") },
            headers,
            body: example.body.clone(),
            credentials: credentials(operation),
            answer: answer(operation, example),
        }
    }

    fn curl(&self) -> String {
        let mut parts = vec![match self.method.as_str() {
            "GET" => "curl -s".to_owned(),
            "HEAD" => "curl -s --head".to_owned(),
            method => format!("curl -s -X {method}"),
        }];
        parts[0] += &format!(" \"$REEL_HOST{}\"", self.path);
        let credential =
            |(name, prefix, variable): &Credential| format!("-H \"{name}: {prefix}${variable}\"");
        parts.extend(self.credentials.iter().map(credential));
        parts.extend(
            self.headers.iter().map(|(name, value)| format!("-H {}", shell(&format!("{name}: {value}")))),
        );
        parts.extend(self.body.as_ref().map(|body| format!("-d {}", shell(&body.to_string()))));
        match self.answer {
            Answer::Clip => parts.push("-o clip.mp4".to_owned()),
            Answer::Stream => parts[0] = parts[0].replacen("-s", "-sN", 1),
            Answer::Json | Answer::Headers | Answer::Nothing => {}
        }
        parts.join(" \\\n  ")
    }

    fn python(&self) -> String {
        let mut lines = vec!["import json, os, urllib.request".to_owned(), String::new()];
        if let Some(body) = &self.body {
            lines.push(format!("body = {}", python(body, 0)));
        }
        lines.push("request = urllib.request.Request(".to_owned());
        lines.push(format!("    os.environ[\"REEL_HOST\"] + {},", text(&self.path)));
        lines.push(format!("    method={},", text(&self.method)));
        if !self.credentials.is_empty() || !self.headers.is_empty() {
            lines.push("    headers={".to_owned());
            let credential = |(name, prefix, variable): &Credential| {
                let prefix = if prefix.is_empty() { String::new() } else { format!("\"{prefix}\" + ") };
                format!("        \"{name}\": {prefix}os.environ[\"{variable}\"],")
            };
            lines.extend(self.credentials.iter().map(credential));
            let header =
                |(name, value): &(String, String)| format!("        {}: {},", text(name), text(value));
            lines.extend(self.headers.iter().map(header));
            lines.push("    },".to_owned());
        }
        if self.body.is_some() {
            lines.push("    data=json.dumps(body).encode(),".to_owned());
        }
        lines.push(")".to_owned());
        lines.push("with urllib.request.urlopen(request) as response:".to_owned());
        lines.push(self.python_end().to_owned());
        lines.join("\n")
    }

    fn python_end(&self) -> &'static str {
        match self.answer {
            Answer::Json => "    print(json.load(response))",
            Answer::Headers => "    print(response.headers)",
            Answer::Clip => "    open(\"clip.mp4\", \"wb\").write(response.read())",
            Answer::Stream => "    for line in response:\n        print(line.decode().rstrip())",
            Answer::Nothing => "    print(response.status)",
        }
    }

    fn node(&self) -> String {
        let mut lines =
            vec![format!("const response = await fetch(process.env.REEL_HOST + {}, {{", text(&self.path))];
        if self.method != "GET" {
            lines.push(format!("  method: {},", text(&self.method)));
        }
        if !self.credentials.is_empty() || !self.headers.is_empty() {
            lines.push("  headers: {".to_owned());
            let credential = |(name, prefix, variable): &Credential| {
                format!("    \"{name}\": `{prefix}${{process.env.{variable}}}`,")
            };
            lines.extend(self.credentials.iter().map(credential));
            let header = |(name, value): &(String, String)| format!("    {}: {},", text(name), text(value));
            lines.extend(self.headers.iter().map(header));
            lines.push("  },".to_owned());
        }
        if let Some(body) = &self.body {
            let body = serde_json::to_string_pretty(body).unwrap_or_default().replace('\n', "\n  ");
            lines.push(format!("  body: JSON.stringify({body}),"));
        }
        lines.push("});".to_owned());
        lines.push(self.node_end().to_owned());
        lines.join("\n").replace(", {\n});", ");")
    }

    fn node_end(&self) -> &'static str {
        match self.answer {
            Answer::Json => "console.log(await response.json());",
            Answer::Headers => "console.log(response.headers);",
            Answer::Stream => {
                "for await (const text of response.body.pipeThrough(new TextDecoderStream())) {\n  \
                 process.stdout.write(text);\n}"
            }
            Answer::Nothing => "console.log(response.status);",
            Answer::Clip => {
                "const { writeFile } = await import(\"node:fs/promises\");\n\
                 await writeFile(\"clip.mp4\", Buffer.from(await response.arrayBuffer()));"
            }
        }
    }
}

/// A key where one will do, otherwise a session, which changes things with its token only.
fn credentials(operation: &Operation<'_>) -> Vec<Credential> {
    let changes = !["GET", "HEAD"].contains(&operation.method.as_str());
    match (operation.takes("bearer"), operation.takes("session")) {
        (true, _) => vec![KEY],
        (false, true) if changes => vec![COOKIE, CSRF],
        (false, true) => vec![COOKIE],
        (false, false) => Vec::new(),
    }
}

fn answer(operation: &Operation<'_>, example: &Example) -> Answer {
    let is =
        |media_type: &str| operation.value.pointer(&format!("/responses/200/content/{media_type}")).is_some();
    match () {
        () if operation.method == "HEAD" => Answer::Headers,
        () if is("video~1mp4") => Answer::Clip,
        () if is("text~1event-stream") => Answer::Stream,
        () if example.response.is_none() => Answer::Nothing,
        () => Answer::Json,
    }
}

/// The parameters that the example gives, in the operation's order: name, place and value; a list is there several times.
fn given<'a>(
    operation: &'a Operation<'_>,
    example: &'a Example,
) -> impl Iterator<Item = (&'a str, &'a str, String)> {
    let parameters = operation.value["parameters"].as_array().into_iter().flatten();
    let one = |parameter: &'a Value| {
        let (name, place) = (parameter["name"].as_str()?, parameter["in"].as_str()?);
        Some((name, place, example.parameters.get(name)?))
    };
    parameters
        .filter_map(one)
        .flat_map(|(name, place, value)| texts(value).map(move |text| (name, place, text)))
}

/// How a parameter is written: a list once for each of its values.
pub fn texts(value: &Value) -> impl Iterator<Item = String> {
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// In single quotes of the shell.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A JSON string is one of Python and of JavaScript as well.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn python(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("    ".repeat(depth + 1), "    ".repeat(depth));
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| python(item, depth)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let line = |(name, value): (&String, &Value)| {
                format!("{inner}{}: {},\n", text(name), python(value, depth + 1))
            };
            format!("{{\n{}{outer}}}", members.iter().map(line).collect::<String>())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: Value, method: &str, example: Value) -> Call {
        let mut value = operation;
        let operation = Operation { method: method.to_owned(), path: "/tasks/{id}", value: &mut value };
        Call::of(&operation, &serde_json::from_value(example).unwrap())
    }

    fn posted() -> Call {
        let parameters = json!([{ "name": "id", "in": "path" }, { "name": "n", "in": "query" }, { "name": "K", "in": "header" }]);
        let example = json!({ "parameters": { "id": "t1", "n": 2, "K": "it's" }, "body": { "a": [true, null], "b": "\"" } });
        call(json!({ "security": [{ "bearer": [] }], "parameters": parameters }), "POST", example)
    }

    #[test]
    fn curl_quotes_what_the_shell_would_read() {
        let expected = "curl -s -X POST \"$REEL_HOST/tasks/t1?n=2\" \\\n  -H \"Authorization: Bearer $REEL_API_KEY\" \\\n  \
                        -H 'K: it'\\''s' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"a\":[true,null],\"b\":\"\\\"\"}'";
        assert_eq!(posted().curl(), expected);
    }

    #[test]
    fn python_has_words_of_its_own() {
        let code = posted().python();
        assert!(code.contains("body = {\n    \"a\": [True, None],\n    \"b\": \"\\\"\",\n}\n"), "{code}");
        assert!(
            code.contains("os.environ[\"REEL_HOST\"] + \"/tasks/t1?n=2\",\n    method=\"POST\","),
            "{code}"
        );
    }

    #[test]
    fn what_only_people_do_is_done_with_a_session() {
        let ended = call(json!({ "security": [{ "session": [] }] }), "DELETE", json!({ "status": 204 }));
        assert!(ended.curl().ends_with("-H \"Cookie: $REEL_COOKIE\" \\\n  -H \"X-CSRF-Token: $REEL_CSRF\""));
        assert!(ended.python().contains("\"Cookie\": os.environ[\"REEL_COOKIE\"],"));
        assert!(ended.python().ends_with("print(response.status)"));
        assert!(ended.node().contains("\"X-CSRF-Token\": `${process.env.REEL_CSRF}`,"));
    }

    #[test]
    fn a_call_with_nothing_to_say_is_short() {
        let code = call(json!({}), "GET", json!({ "response": {} })).node();
        let expected = "const response = await fetch(process.env.REEL_HOST + \"/tasks/{id}\");\nconsole.log(await response.json());";
        assert_eq!(code, expected);
    }
}
