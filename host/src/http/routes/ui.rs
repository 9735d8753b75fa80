//! `/`, `/ui/{path}`, `/docs`, `/static/{name}`, `/favicon.ico`: pages for people.
//!
//! Everything is embedded; a page fetches nothing from elsewhere, and its policy forbids it. Pages show what their
//! caller may see and no more: they ask for nodes like any other handler, or let the browser ask the API.

use std::fmt::Write;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    access::Scope,
    app::App,
    http::{HttpError, document::path_text, extract::Ask},
    plugin::{PluginState, PluginStatus},
    read::etag_of,
    tree::{Entry, ListRequest, Listing, TreeError, TreeResult},
};

const LANDING: &str = include_str!("../../../web/landing.html");
const NODE: &str = include_str!("../../../web/node.html");
const DOCS: &str = include_str!("../../../web/docs.html");
const ICON: &[u8] = include_bytes!("../../../web/favicon.svg");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// Name, media type, content.
const ASSETS: &[(&str, &str, &[u8])] = &[
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../../web/style.css")),
    ("dom.js", JAVASCRIPT, include_bytes!("../../../web/dom.js")),
    ("landing.js", JAVASCRIPT, include_bytes!("../../../web/landing.js")),
    ("node.js", JAVASCRIPT, include_bytes!("../../../web/node.js")),
    ("preview.js", JAVASCRIPT, include_bytes!("../../../web/preview.js")),
    ("docs.js", JAVASCRIPT, include_bytes!("../../../web/docs.js")),
    ("favicon.svg", "image/svg+xml", ICON),
];

/// Scripts, styles, pictures and requests of this server only; no frames, no inline scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Entries of the root that the landing page shows.
const SHOWN_ENTRIES: u64 = 100;

/// `GET /`. A page also for those who may not read: it tells how to come in.
pub async fn landing(State(app): State<App>, headers: HeaderMap, ask: Result<Ask, HttpError>) -> Response {
    let (status, served, line) = match &ask {
        Err(_) => {
            (StatusCode::UNAUTHORIZED, key_needed("The key that came with this request is not valid."), None)
        }
        Ok(ask) => match top(&app, ask).await {
            Ok(listing) => (StatusCode::OK, entries(&app.root_path, &listing), ask.params.one("api_key")),
            Err(TreeError::Scope(_)) => {
                (StatusCode::OK, key_needed("This server shows its data to those with a key."), None)
            }
            Err(error) => {
                tracing::warn!("the landing page cannot list the root: {error}");
                (
                    StatusCode::OK,
                    "<p>The data cannot be listed at the moment; the server's log says why.</p>".into(),
                    None,
                )
            }
        },
    };
    let root_url = crate::http::extract::root_url(&headers, &app.root_path);
    let known = ask.as_ref().is_ok_and(|ask| ask.caller.scopes.contains(Scope::ReadMetadata));
    let html = fill(
        LANDING,
        &[
            ("root", &escape(&app.root_path)),
            ("version", env!("CARGO_PKG_VERSION")),
            ("python", &escape(&python_line(&root_url, line, known && app.auth.is_public()))),
            ("api", &escape(&format!("{root_url}/api/v1/"))),
            ("served", &served),
            ("plugins", &plugins(&app.readers.tree.plugins().table())),
        ],
    );
    page(status, html)
}

/// `GET /ui/{path}`. The same page for every node: its script asks the API, which decides who sees what.
pub async fn node(State(app): State<App>) -> Response {
    page(StatusCode::OK, fill(NODE, &[("root", &escape(&app.root_path))]))
}

/// `GET /docs`.
pub async fn docs(State(app): State<App>) -> Response {
    page(StatusCode::OK, fill(DOCS, &[("root", &escape(&app.root_path))]))
}

/// `GET /static/{name}`.
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, media_type, content)) => embedded(&headers, media_type, content),
        None => HttpError::new(StatusCode::NOT_FOUND, "Not Found").into_response(),
    }
}

/// `GET /favicon.ico`.
pub async fn favicon(headers: HeaderMap) -> Response {
    embedded(&headers, "image/svg+xml", ICON)
}

/// The children of the root that this caller may see.
async fn top(app: &App, ask: &Ask) -> TreeResult<Listing> {
    let tree = &app.readers.tree;
    let root = tree.find(&ask.cx, &[], ask.caller, Scope::ReadMetadata).await?;
    let request = ListRequest { limit: SHOWN_ENTRIES, ..ListRequest::default() };
    tree.list(&ask.cx, &root, ask.caller, request).await
}

fn entries(root: &str, listing: &Listing) -> String {
    if listing.entries.is_empty() {
        return "<p>Nothing is served yet. Name a folder: <code>tiled-host serve directory DIR</code>.</p>"
            .into();
    }
    let mut html = String::from("<ul class=\"entries\">");
    for entry in &listing.entries {
        let (key, what) = match entry {
            Entry::Node(node) => (node.key(), node.family.name()),
            Entry::Broken(key, _) => (key.as_str(), "cannot be opened"),
        };
        let href = escape(&format!("{root}/ui/{}", path_text(&[key.to_owned()])));
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<li><a href=\"{href}\">{}</a> <span class=\"family\">{what}</span></li>",
            escape(key)
        );
    }
    html.push_str("</ul>");
    if listing.has_more {
        let _ = write!(html, "<p><a href=\"{}/ui/\">All entries</a></p>", escape(root));
    }
    html
}

fn key_needed(why: &str) -> String {
    format!(
        "<p>{why} It was printed when the server started, or is what the configuration says. Add it to the address as \
         <code>?api_key=…</code>, or give it here:</p><form method=\"get\"><label>Key <input type=\"password\" \
         name=\"api_key\" autocomplete=\"current-password\" required></label> <button>Come in</button></form>"
    )
}

/// The line that connects from Python. The key is shown only to who just sent it.
fn python_line(root_url: &str, key: Option<&str>, public: bool) -> String {
    match key {
        Some(key) => format!("client = from_uri(\"{root_url}\", api_key=\"{key}\")"),
        None if public => format!("client = from_uri(\"{root_url}\")"),
        None => format!("client = from_uri(\"{root_url}\", api_key=\"…\")"),
    }
}

fn plugins(table: &[PluginStatus]) -> String {
    let mut html = String::new();
    for plugin in
        table.iter().filter(|plugin| matches!(plugin.state, PluginState::Loaded | PluginState::OutOfService))
    {
        let list = |items: &[String]| match items {
            [] => "–".to_owned(),
            items => escape(&items.join(", ")),
        };
        let state = if plugin.state == PluginState::Loaded { "" } else { " (out of service)" };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}{state}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(plugin.name.as_deref().unwrap_or_default()),
            escape(plugin.version.as_deref().unwrap_or_default()),
            list(&plugin.extensions),
            list(&media_types(plugin)),
        );
    }
    html
}

/// What a plugin encodes, whatever the family, once each.
fn media_types(plugin: &PluginStatus) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for media_type in
        plugin.encodes.iter().filter_map(|claim| claim.split_once(' ')).map(|(_, media_type)| media_type)
    {
        if !all.iter().any(|known| known == media_type) {
            all.push(media_type.to_owned());
        }
    }
    all
}

/// A template with its `{{name}}`s replaced, once: what is put in is not looked at again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut html = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        html.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        html.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    html.push_str(rest);
    html
}

/// Text as it may stand in HTML, attributes included.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn page(status: StatusCode, html: String) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    harden(response.headers_mut());
    response
}

fn embedded(request: &HeaderMap, media_type: &'static str, content: &'static [u8]) -> Response {
    let etag = format!("\"{}\"", etag_of(content));
    let known = request.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type)], content).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    harden(headers);
    response
}

fn harden(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address may carry the key.
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        assert_eq!(fill("a {{x}} b {{y}}{{z}}", &[("x", "{{y}}"), ("y", "2")]), "a {{y}} b 2");
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b a='1'>&\""), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn pages_name_only_what_is_embedded() {
        for html in [LANDING, NODE, DOCS] {
            assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("//"), "{html}");
            assert!(!html.contains("style=") && !html.contains("onclick"), "the policy forbids these");
            let names = html.split("/static/").skip(1).filter_map(|rest| rest.split('"').next());
            for name in names {
                assert!(ASSETS.iter().any(|(known, ..)| *known == name), "{name}");
            }
        }
    }
}
