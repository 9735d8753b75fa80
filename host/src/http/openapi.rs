//! `GET /openapi.json`: the API as an OpenAPI 3.1 document, made from the URL table and the loaded plugins.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde_json::{Map, Value, json};

use super::{
    endpoint::{Answer, Content, Endpoint, Kind, Method, Param},
    router::endpoints,
};
use crate::app::App;

/// Family or spec to media types.
type Formats = BTreeMap<String, Vec<String>>;

/// Never asks for credentials: it tells nothing of the data.
pub async fn document(State(app): State<App>) -> Json<Value> {
    Json(describe(app.readers.tree.plugins().formats(), &app.root_path))
}

/// The document of all routes.
fn describe(formats: &Formats, root_path: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints() {
        for url in urls(endpoint) {
            let item = paths.entry(url.clone()).or_insert_with(|| json!({}));
            item[endpoint.method.name()] = operation(endpoint, &url, formats);
        }
    }
    let server = if root_path.is_empty() { "/" } else { root_path };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tiled-host",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Search and sliced access to scientific data",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": {"Error": {
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"description": "What was wrong: a text, or a list of objects"}},
            }},
            "securitySchemes": {
                "query": {"type": "apiKey", "in": "query", "name": "api_key"},
                "header": {
                    "type": "apiKey", "in": "header", "name": "Authorization", "description": "`Apikey SECRET`",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "tiled_api_key"},
            },
        },
    })
}

/// URLs as OpenAPI writes them. One that differs from another by the slash at its end alone is left out.
fn urls(endpoint: &Endpoint) -> Vec<String> {
    let routes = endpoint.routes();
    let shown = routes.iter().filter(|route| !routes.contains(&format!("{route}/")));
    shown.map(|route| route.replace("{*", "{")).collect()
}

fn operation(endpoint: &Endpoint, url: &str, formats: &Formats) -> Value {
    let in_url = url.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| {
        let about = if name == "path" { "Keys from the root to the node, joined by `/`" } else { "" };
        json!({"name": name, "in": "path", "required": true, "description": about, "schema": {"type": "string"}})
    });
    let in_query = endpoint.params.iter().copied().flatten().map(parameter);
    let mut operation = json!({
        "operationId": operation_id(endpoint, url),
        "summary": endpoint.summary,
        "tags": [tag(url)],
        "parameters": in_url.chain(in_query).collect::<Vec<_>>(),
        "responses": responses(endpoint, formats),
    });
    if let Some(body) = endpoint.body {
        operation["requestBody"] = request_body(body);
    }
    let scopes: Vec<String> = endpoint.needed().map(|scope| format!("`{scope}`")).collect();
    if !scopes.is_empty() {
        let noun = if scopes.len() == 1 { "scope" } else { "scopes" };
        operation["description"] = json!(format!("Needs the {noun} {}.", scopes.join(", ")));
        operation["security"] = json!([{"query": []}, {"header": []}, {"cookie": []}]);
    }
    operation
}

fn request_body(body: Content) -> Value {
    let (about, content) = match body {
        Content::Names(about) => {
            let schema = json!({"type": ["array", "null"], "items": {"type": "string"}});
            (about, json!({"application/json": {"schema": schema}}))
        }
        Content::Document(about) => (about, json!({"application/json": {"schema": {"type": "object"}}})),
        Content::Values(about, media_types) => {
            let content = media_types.iter().map(|media_type| ((*media_type).to_owned(), json!({})));
            (about, content.collect::<Map<_, _>>().into())
        }
    };
    json!({"description": about, "content": content})
}

fn operation_id(endpoint: &Endpoint, url: &str) -> String {
    let words = url.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(endpoint.method.name().to_owned(), |id, word| format!("{id}_{word}"))
}

/// The first word of the URL: the file of the handler.
fn tag(url: &str) -> &str {
    let (own, default) = match url.strip_prefix("/api/v1") {
        Some(own) => (own, "about"),
        None if url.starts_with("/zarr/") => return "zarr",
        None => return "pages",
    };
    own.split('/').find(|word| !word.is_empty() && !word.starts_with('{')).unwrap_or(default)
}

fn parameter(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean", "default": false}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
    };
    json!({"name": param.name, "in": "query", "required": param.required, "description": param.about, "schema": schema})
}

fn responses(endpoint: &Endpoint, formats: &Formats) -> Value {
    let content = |media_types: &[&str]| -> Value {
        media_types
            .iter()
            .map(|media_type| ((*media_type).to_owned(), json!({})))
            .collect::<Map<_, _>>()
            .into()
    };
    let documents = ["application/json", "application/x-msgpack"];
    let good = match endpoint.answer {
        Answer::Document => content(&documents),
        Answer::Json => content(&documents[..1]),
        Answer::Page => content(&["text/html"]),
        Answer::File => content(&["*/*"]),
        Answer::Values(families) => {
            let mut all: Vec<&str> =
                families.iter().filter_map(|f| formats.get(*f)).flatten().map(String::as_str).collect();
            if families.contains(&"array") {
                all.insert(0, "application/octet-stream");
            }
            content(&all)
        }
    };
    let mut responses = json!({"200": {"description": "As asked for", "content": good}});
    let mut refuse = |status: &str, when: &str| {
        let schema = json!({"$ref": "#/components/schemas/Error"});
        responses[status] = json!({"description": when, "content": {"application/json": {"schema": schema}}});
    };
    let scoped = endpoint.needed().next().is_some();
    if scoped {
        refuse("400", "The request makes no sense for this node");
        refuse("401", "A key is missing, wrong, or may not do this");
        refuse("404", "No such node, or a node of another family");
        refuse("422", "A parameter is not of its form, or the file is damaged");
    }
    let changes = matches!(endpoint.method, Method::Put | Method::Patch | Method::Delete)
        || matches!(endpoint.body, Some(Content::Document(_)));
    if changes {
        refuse("405", "This node cannot be changed so");
        refuse("409", "What is there stands against it");
    }
    if matches!(endpoint.body, Some(Content::Values(..))) {
        refuse("413", "The body is too large");
        refuse("415", "Values of this family cannot be written in this media type");
    }
    if matches!(endpoint.answer, Answer::Values(_)) {
        refuse("406", "The values cannot be encoded so; the answer says how they can");
    }
    if endpoint.answer == Answer::File {
        refuse("403", "This server gives out no files");
        responses["206"] = json!({"description": "The range asked for", "content": {"*/*": {}}});
    }
    if scoped && !changes {
        responses["304"] = json!({"description": "As the caller has it already (`If-None-Match`)"});
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_router_is_in_the_document() {
        let document = describe(&Formats::new(), "");
        let mut count = 0;
        for endpoint in endpoints() {
            for url in urls(endpoint) {
                let operation = &document["paths"][&url][endpoint.method.name()];
                assert_eq!(operation["summary"], endpoint.summary, "{url}");
                count += 1;
            }
        }
        let documented: usize =
            document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
        assert_eq!(documented, count, "two rows of the table have the same method and URL");
        // Nothing may be registered beside the table.
        assert_eq!(include_str!("router.rs").matches(".route(").count(), 1);
    }

    #[test]
    fn operation_ids_are_unique_and_url_parameters_are_declared() {
        let document = describe(&Formats::new(), "");
        let mut seen = std::collections::BTreeSet::new();
        for (url, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                // `/metadata/` and `/metadata/{path}` differ; `/api/v1` and `/api/v1/` are the same route twice.
                assert!(seen.insert(operation["operationId"].to_string()) || url == "/api/v1", "{operation}");
                let declared = operation["parameters"].as_array().unwrap();
                let declared = declared.iter().filter(|p| p["in"] == "path").count();
                assert_eq!(declared, url.matches('{').count(), "{url}");
            }
        }
    }

    #[test]
    fn values_are_offered_as_what_the_plugins_can_encode() {
        let formats = Formats::from([("array".into(), vec!["image/png".into()])]);
        let document = describe(&formats, "/prefix");
        let content = &document["paths"]["/api/v1/array/full/{path}"]["get"]["responses"]["200"]["content"];
        let offered: Vec<&String> = content.as_object().unwrap().keys().collect();
        assert_eq!(offered, ["application/octet-stream", "image/png"]);
        assert_eq!(document["servers"][0]["url"], "/prefix");
    }
}
