//! What a row of the URL table says: the method, the URL, what it takes and gives, who may, and the handler.

use axum::routing::MethodRouter;

use crate::{access::Scope, app::App};

/// HTTP methods of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads, with a list of names in the body.
    Post,
}

impl Method {
    /// As OpenAPI writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
        }
    }
}

/// What a parameter or a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number from 0 on.
    Number,
    /// `true` or `false`.
    Flag,
    /// A parameter that may be there several times.
    Texts,
}

/// One query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Whether the request is refused without it.
    pub required: bool,
    /// One sentence, with an example where the form is not plain.
    pub about: &'static str,
}

impl Param {
    /// A parameter that may be left out.
    pub const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Param { name, kind, required: false, about }
    }

    /// The same, not to be left out.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A document, as JSON or msgpack.
    Document,
    /// Values of one of these families, in a media type that the plugins decide.
    Values(&'static [&'static str]),
    /// A file as it is; ranges are honoured.
    File,
    /// A page for people.
    Page,
    /// JSON for programs that watch or describe the server.
    Json,
}

/// One row of the URL table.
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The URL; `{path}` stands for the segments of a node's path.
    pub url: &'static str,
    /// Whether the URL without `{path}` means the root node.
    pub at_root: bool,
    /// A few words.
    pub summary: &'static str,
    /// What the caller must be allowed to do.
    pub scope: Option<Scope>,
    /// Groups of query parameters.
    pub params: &'static [&'static [Param]],
    /// What the body lists, where there is one.
    pub body: Option<&'static str>,
    /// What comes back.
    pub answer: Answer,
    /// Who answers.
    pub handler: fn() -> MethodRouter<App>,
}

impl Endpoint {
    /// A row for GET (and so for HEAD).
    pub const fn get(
        url: &'static str,
        summary: &'static str,
        answer: Answer,
        handler: fn() -> MethodRouter<App>,
    ) -> Self {
        let (scope, body) = (None, None);
        Endpoint {
            method: Method::Get,
            url,
            at_root: false,
            summary,
            scope,
            params: &[],
            body,
            answer,
            handler,
        }
    }

    /// A row for POST with a JSON list in the body.
    pub const fn post(
        url: &'static str,
        summary: &'static str,
        body: &'static str,
        answer: Answer,
        handler: fn() -> MethodRouter<App>,
    ) -> Self {
        let row = Self::get(url, summary, answer, handler);
        Endpoint { method: Method::Post, body: Some(body), ..row }
    }

    /// The same, for the root node too.
    pub const fn at_root(mut self) -> Self {
        self.at_root = true;
        self
    }

    /// The same, for those who may.
    pub const fn needs(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// The same with query parameters.
    pub const fn with(mut self, params: &'static [&'static [Param]]) -> Self {
        self.params = params;
        self
    }

    /// The URLs as axum writes them.
    pub fn routes(&self) -> Vec<String> {
        let own = self.url.replace("{path}", "{*path}");
        let root = self.url.replace("{path}", "");
        // Without the slash too, as Tiled's redirect would have it.
        let roots = if self.at_root { vec![root.trim_end_matches('/').to_owned(), root] } else { vec![] };
        std::iter::once(own).chain(roots).collect()
    }
}
