//! What a row of the URL table says: the method, the URL, what it takes and gives, who may, and the handler.

use axum::routing::MethodRouter;

use crate::{access::Scope, app::App};

/// HTTP methods of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads, with a list of names in the body; or makes something new.
    Post,
    /// Replaces.
    Put,
    /// Changes or adds.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As OpenAPI writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Patch => "patch",
            Method::Delete => "delete",
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

/// What a body carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A JSON list of names, or null.
    Names(&'static str),
    /// A JSON document.
    Document(&'static str),
    /// Values, in one of these media types.
    Values(&'static str, &'static [&'static str]),
}

/// Scopes that a route may ask for at most.
const MAX_SCOPES: usize = 3;

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
    pub scopes: [Option<Scope>; MAX_SCOPES],
    /// Groups of query parameters.
    pub params: &'static [&'static [Param]],
    /// What the body carries, where there is one.
    pub body: Option<Content>,
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
        Endpoint {
            method: Method::Get,
            url,
            at_root: false,
            summary,
            scopes: [None; MAX_SCOPES],
            params: &[],
            body: None,
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
        Endpoint { method: Method::Post, body: Some(Content::Names(body)), ..row }
    }

    /// A row for a change.
    pub const fn change(
        method: Method,
        url: &'static str,
        summary: &'static str,
        handler: fn() -> MethodRouter<App>,
    ) -> Self {
        Endpoint { method, ..Self::get(url, summary, Answer::Document, handler) }
    }

    /// The same with a body.
    pub const fn takes(mut self, body: Content) -> Self {
        self.body = Some(body);
        self
    }

    /// The same, for the root node too.
    pub const fn at_root(mut self) -> Self {
        self.at_root = true;
        self
    }

    /// The same, for those who may; several are all needed.
    pub const fn needs(mut self, scope: Scope) -> Self {
        let mut free = 0;
        while self.scopes[free].is_some() {
            free += 1;
        }
        self.scopes[free] = Some(scope);
        self
    }

    /// The same with query parameters.
    pub const fn with(mut self, params: &'static [&'static [Param]]) -> Self {
        self.params = params;
        self
    }

    /// All scopes that it needs.
    pub fn needed(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().flatten().copied()
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
