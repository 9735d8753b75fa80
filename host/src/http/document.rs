//! Node documents, as section 5 of Tiled's protocol has them.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use tiled_plugin_api::{
    author::Error,
    model::{Spec, StructureFamily},
};

use super::{HttpError, encode::JsonText};
use crate::{
    access::Caller,
    catalog::DataSourceRow,
    http::extract::Params,
    tree::{Entry, ListRequest, Node, Tree, TreeResult},
};

/// Parts of a node document that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldName {
    Metadata,
    StructureFamily,
    Structure,
    Count,
    Sorting,
    Specs,
    DataSources,
    AccessTags,
    None,
}

const FIELD_NAMES: [(&str, FieldName); 9] = [
    ("metadata", FieldName::Metadata),
    ("structure_family", FieldName::StructureFamily),
    ("structure", FieldName::Structure),
    ("count", FieldName::Count),
    ("sorting", FieldName::Sorting),
    ("specs", FieldName::Specs),
    ("data_sources", FieldName::DataSources),
    ("access_tags", FieldName::AccessTags),
    ("", FieldName::None),
];

/// How node documents are to look.
pub struct Shape {
    /// `{base}` of links.
    pub base_url: String,
    fields: BTreeSet<FieldName>,
    selection: Option<jmespath::Expression<'static>>,
    omit_links: bool,
    data_sources: bool,
    asset_sizes: bool,
    max_depth: u64,
}

/// Levels that are inlined at most.
const DEPTH_LIMIT: u64 = 5;
/// Children of one node that are inlined at most.
const INLINED_CONTENTS_LIMIT: u64 = 500;
/// Nodes that one document may inline in all: a file whose links multiply must not make an endless one.
const INLINED_NODES_LIMIT: usize = 5_000;

impl Shape {
    /// Reads `fields`, `select_metadata`, `omit_links`, `include_data_sources`, `max_depth`.
    ///
    /// # Errors
    /// 422 for what is not of its form, 400 for a malformed selection.
    pub fn parse(params: &Params, base_url: String, deep: bool) -> Result<Self, HttpError> {
        let names = params.all("fields");
        let mut fields: BTreeSet<FieldName> = FIELD_NAMES.iter().map(|(_, field)| *field).collect();
        if !names.is_empty() {
            fields = names.iter().map(|name| field_name(name)).collect::<Result<_, _>>()?;
        }
        let selection = match params.one("select_metadata") {
            None => None,
            Some(text) => Some(jmespath::compile(text).map_err(|error| {
                HttpError::bad_request(format!(
                    "Malformed 'select_metadata' parameter raised JMESPathError: {error}"
                ))
            })?),
        };
        let max_depth = if deep { None } else { params.number("max_depth", 0, DEPTH_LIMIT)? };
        Ok(Shape {
            base_url,
            selection,
            omit_links: params.flag("omit_links", false)?,
            data_sources: params.flag("include_data_sources", false)?,
            asset_sizes: true,
            max_depth: max_depth.unwrap_or(DEPTH_LIMIT),
            fields,
        })
    }

    /// With sizes of assets, or without them for clients that do not know them.
    pub fn with_sizes(self, asset_sizes: bool) -> Self {
        Shape { asset_sizes, ..self }
    }

    fn has(&self, field: FieldName) -> bool {
        self.fields.contains(&field)
    }

    /// Only names are wanted.
    pub fn keys_only(&self) -> bool {
        self.fields.iter().eq([&FieldName::None])
    }

    /// Only a number is wanted.
    pub fn count_only(&self) -> bool {
        self.fields.iter().eq([&FieldName::Count])
    }
}

fn field_name(name: &str) -> Result<FieldName, HttpError> {
    FIELD_NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field).ok_or_else(|| {
        let message = "Input should be 'metadata', 'structure_family', 'structure', 'count', 'sorting', 'specs', \
                       'data_sources', 'access_tags' or ''";
        HttpError::validation("query", "fields", "enum", message, Value::String(name.to_owned()))
    })
}

/// One node, ready to be encoded.
#[derive(Serialize)]
pub struct Resource {
    id: String,
    attributes: Attributes,
    links: Option<Value>,
    meta: Option<()>,
}

#[derive(Serialize, Default)]
struct Attributes {
    ancestors: Vec<String>,
    structure_family: Option<StructureFamily>,
    specs: Option<Vec<Spec>>,
    metadata: Option<JsonText>,
    structure: Option<Value>,
    access_tags: Option<Vec<String>>,
    sorting: Option<Value>,
    data_sources: Option<Value>,
}

/// Makes node documents.
pub struct Documents<'a> {
    /// Where nodes are listed for inlining.
    pub tree: &'a Tree,
    /// The call.
    pub cx: &'a tiled_plugin_api::author::Context,
    /// Who sees them.
    pub caller: Caller,
    /// How they look.
    pub shape: &'a Shape,
}

impl Documents<'_> {
    /// The document of a node. `alone`: it is the only one, so that its count may cost something.
    ///
    /// # Errors
    /// Those of listing what is inlined.
    pub async fn of(&self, node: &Node, alone: bool) -> TreeResult<Resource> {
        let mut budget = INLINED_NODES_LIMIT;
        self.resource(node, 0, alone, &mut budget).await
    }

    /// The document of an entry of a listing of which only the name is known, or wanted.
    pub fn of_key(&self, parent: &[String], key: &str) -> Resource {
        let path = [parent, std::slice::from_ref(&key.to_owned())].concat();
        let links = (!self.shape.omit_links)
            .then(|| json!({"self": format!("{}/metadata/{}", self.shape.base_url, path_text(&path))}));
        let attributes = Attributes { ancestors: parent.to_vec(), ..Attributes::default() };
        Resource { id: key.to_owned(), attributes, links, meta: None }
    }

    async fn resource(
        &self,
        node: &Node,
        depth: u64,
        alone: bool,
        budget: &mut usize,
    ) -> TreeResult<Resource> {
        let shape = self.shape;
        let container = node.family == StructureFamily::Container;
        let family = (container || shape.has(FieldName::StructureFamily)).then_some(node.family);
        let mut attributes = Attributes {
            ancestors: node.path[..node.path.len().saturating_sub(1)].to_vec(),
            structure_family: family,
            specs: shape.has(FieldName::Specs).then(|| node.specs.clone()),
            access_tags: shape
                .has(FieldName::AccessTags)
                .then(|| node.access_tags.clone().unwrap_or_default()),
            ..Attributes::default()
        };
        if shape.has(FieldName::Metadata) {
            attributes.metadata = Some(self.metadata(node)?);
        }
        if shape.data_sources {
            attributes.data_sources = data_sources(node, shape.asset_sizes)?;
        }
        if container {
            if shape.has(FieldName::Structure) || shape.has(FieldName::Count) {
                attributes.structure = Some(Box::pin(self.contents(node, depth, alone, budget)).await?);
            }
            if shape.has(FieldName::Sorting) {
                // The client reads inlined contents only in this order, and lists everything else itself.
                let inlined =
                    attributes.structure.as_ref().is_some_and(|structure| !structure["contents"].is_null());
                attributes.sorting = Some(json!([{"key": if inlined { "_" } else { "" }, "direction": 1}]));
            }
        } else if shape.has(FieldName::Structure) {
            attributes.structure = Some(node.structure.clone());
        }
        let links = (!shape.omit_links).then(|| links(node, &shape.base_url));
        Ok(Resource { id: node.key().to_owned(), attributes, links, meta: None })
    }

    fn metadata(&self, node: &Node) -> TreeResult<JsonText> {
        let text = match &self.shape.selection {
            None => node.metadata.clone(),
            Some(expression) => {
                let selected = expression.search(node.metadata_value()).map_err(Error::internal)?;
                json!({"selected": *selected}).to_string()
            }
        };
        Ok(JsonText::new(text))
    }

    /// Count and, for what is inside a file, the children themselves.
    async fn contents(&self, node: &Node, depth: u64, alone: bool, budget: &mut usize) -> TreeResult<Value> {
        let inlines = node.is_inside_a_file() && depth < self.shape.max_depth && !self.shape.count_only();
        if !inlines || *budget == 0 {
            return Ok(json!({"contents": null, "count": self.count(node, alone).await?}));
        }
        let request =
            ListRequest { limit: INLINED_CONTENTS_LIMIT, exact_count: true, ..ListRequest::default() };
        let page = self.tree.list(self.cx, node, self.caller, request).await?;
        // The client cannot iterate over contents with a broken child in them: it asks for the listing instead.
        let broken = page.entries.iter().any(|entry| matches!(entry, Entry::Broken(..)));
        if broken || page.count > INLINED_CONTENTS_LIMIT || page.entries.len() > *budget {
            return Ok(json!({"contents": null, "count": page.count}));
        }
        *budget -= page.entries.len();
        let mut contents = serde_json::Map::new();
        for entry in &page.entries {
            match entry {
                Entry::Node(child) => {
                    let child_document = Box::pin(self.resource(child, depth + 1, false, budget)).await?;
                    let value = serde_json::to_value(&child_document).map_err(Error::internal)?;
                    contents.insert(child.key().to_owned(), value);
                }
                Entry::Broken(..) => {}
            }
        }
        Ok(json!({"contents": contents, "count": page.count}))
    }

    async fn count(&self, node: &Node, alone: bool) -> TreeResult<u64> {
        if let Some(count) = node.count.filter(|_| !self.shape.count_only()) {
            return Ok(count);
        }
        if !alone {
            return Ok(node.count.unwrap_or(0));
        }
        let request = ListRequest { limit: 0, exact_count: true, keys_only: true, ..ListRequest::default() };
        Ok(self.tree.list(self.cx, node, self.caller, request).await?.count)
    }
}

/// Rows alone have data sources.
fn data_sources(node: &Node, sizes: bool) -> TreeResult<Option<Value>> {
    let crate::tree::Place::Row(mount, row) = &node.place else { return Ok(None) };
    Ok(Some(data_source_documents(&mount.catalog.data_sources(row.id)?, sizes)))
}

/// Data sources as clients see them; sizes of assets only for those that know them.
pub fn data_source_documents(sources: &[DataSourceRow], sizes: bool) -> Value {
    let documents = sources.iter().map(|source| {
        let structure = source.structure.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let assets = source.assets.iter().map(|asset| {
            let mut document = json!({"data_uri": asset.data_uri, "is_directory": asset.is_directory,
                "size": asset.size, "parameter": asset.parameter, "num": asset.num, "id": asset.id});
            if let Some(document) = document.as_object_mut().filter(|_| !sizes) {
                document.shift_remove("size");
            }
            document
        });
        json!({"id": source.id, "structure_family": source.structure_family, "structure": structure,
               "mimetype": source.mimetype, "parameters": source.parameters, "properties": source.properties,
               "assets": assets.collect::<Vec<_>>(), "management": source.management})
    });
    documents.collect()
}

/// What a path segment may not carry as it is. Braces too: the client fills templates with `str.format`.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Segments as they stand in a URL.
pub fn path_text(path: &[String]) -> String {
    let encoded: Vec<String> =
        path.iter().map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect();
    encoded.join("/")
}

/// The links of a node, templates left as they are.
pub fn links(node: &Node, base: &str) -> Value {
    let path = path_text(&node.path);
    let own = format!("{base}/metadata/{path}");
    let full = |what: &str| format!("{base}/{what}/full/{path}");
    match node.family {
        StructureFamily::Container => json!({
            "self": own,
            "search": format!("{base}/search/{path}"),
            "search_deep": format!("{base}/search-deep/{path}"),
            "full": full("container"),
        }),
        StructureFamily::Array | StructureFamily::Sparse => {
            let axes = node.structure.get("shape").and_then(Value::as_array).map_or(0, Vec::len);
            let template: Vec<String> = (0..axes).map(|axis| format!("{{{axis}}}")).collect();
            let block = format!("{base}/array/block/{path}?block={}", template.join(","));
            json!({"self": own, "full": full("array"), "block": block})
        }
        StructureFamily::Table => {
            let partition = format!("{base}/table/partition/{path}?partition={{index}}");
            json!({"self": own, "full": full("table"), "partition": partition})
        }
        StructureFamily::Awkward => {
            json!({"self": own, "full": full("awkward"), "buffers": format!("{base}/awkward/buffers/{path}")})
        }
        StructureFamily::Ragged => {
            json!({"self": own, "full": full("ragged"), "block": format!("{base}/ragged/block/{path}?block={{0}}")})
        }
        StructureFamily::Bytes => json!({"self": own}),
    }
}
