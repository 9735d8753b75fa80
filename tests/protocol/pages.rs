//! Pages for people, and documents for their programs.

use tiled_tests::{Access, KEY, Server, example_data};

use super::Example;

#[test]
fn the_landing_page_shows_what_is_served_to_those_who_may_see_it() {
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    let stranger = server.client().get("/");
    assert_eq!(stranger.status, 200);
    assert!(stranger.text().contains("?api_key=") && !stranger.text().contains("tomography"));
    assert!(!stranger.text().contains("/ui/arrays"), "strangers see no names");
    let owner = server.client().get(&format!("/?api_key={KEY}"));
    assert!(owner.text().contains("/ui/arrays"));
    assert!(owner.text().contains(&format!("api_key=&quot;{KEY}&quot;")), "a line to copy");
    assert_eq!(server.client().get("/?api_key=wrong").status, 401);
    server.end();
}

#[test]
fn pages_allow_nothing_from_elsewhere() {
    let example = Example::serve();
    let client = example.client();
    for url in ["/", "/ui/", "/ui/arrays/wave", "/docs"] {
        let page = client.get(url);
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{url}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for part in page.text().split(['"', '\'']).filter(|part| part.starts_with("/static/")) {
            assert_eq!(client.get(part).status, 200, "{url}: {part}");
        }
    }
    assert_eq!(client.get("/static/../Cargo.toml").status, 404);
    assert_eq!(client.get("/favicon.ico").header("content-type"), "image/svg+xml");
    example.end();
}

#[test]
fn every_operation_of_the_openapi_document_is_a_route() {
    let example = Example::serve();
    let client = example.client();
    let document = client.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 25, "{}", paths.len());
    for (url, item) in paths {
        let real = url.replace("{path}", "arrays/wave").replace("{name}", "style.css");
        let methods = item.as_object().unwrap().keys();
        for method in methods {
            let answer = match method.as_str() {
                "get" => client.get(&real),
                other => client.send_json(&other.to_uppercase(), &real, &serde_json::Value::Null),
            };
            let unknown = match answer.status {
                404 => answer.detail() == "Not Found",
                405 => answer.detail() == "Method Not Allowed",
                _ => false,
            };
            assert!(!unknown, "{url} {method}: {}", answer.text());
        }
    }
    example.end();
}

#[test]
fn health_names_plugins_and_nothing_of_the_machine() {
    let example = Example::serve();
    let health = example.client().get("/healthz");
    let plugins = health.json()["plugins"].as_array().unwrap().clone();
    assert!(
        plugins.iter().any(|plugin| plugin["name"] == "hdf5" && plugin["state"] == "loaded"),
        "{plugins:?}"
    );
    assert!(!health.text().contains(".so"), "{}", health.text());
    example.end();
}
