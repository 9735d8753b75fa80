//! Reading tables.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Adapter, Context, Error, OpenRequest, Reader, Result, TableRequest, TableStream},
    model::{Description, StructureFamily, TableStructure},
};

use crate::{
    address::Address,
    layout::Layout,
    pool,
    rows::{Rows, places},
};

/// Opens tables in databases. Their structure comes from the catalog.
pub struct TableReader;

impl Reader for TableReader {
    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let (structure, layout, uri) = opened(&request)?;
        Ok(Box::new(Table { structure, layout: Arc::new(layout), uri }))
    }
}

/// Structure, layout and URI of the table of a request.
///
/// # Errors
/// `UnsupportedFormat` without a structure; those of [`Layout::of`].
pub fn opened(request: &OpenRequest) -> Result<(TableStructure, Layout, String)> {
    let Some(structure) = request.structure.clone() else {
        return Err(Error::unsupported_format(
            "A database does not tell which of its rows are a table: register it with its structure",
        ));
    };
    let structure: TableStructure = serde_json::from_value(structure).map_err(Error::internal)?;
    let uri = request.source().uri();
    let layout = Layout::of(Address::parse(&uri)?.dialect, &structure, &request.parameters)?;
    Ok((structure, layout, uri))
}

struct Table {
    structure: TableStructure,
    layout: Arc<Layout>,
    uri: String,
}

impl Adapter for Table {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Table, &self.structure)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        self.describe(path)?;
        let places = places(&self.layout, request.columns.as_deref())?;
        let pool = pool::open_uri(&self.uri)?;
        Ok(Rows::open(cx, &pool, &self.layout, places, request.partition)?.into_stream())
    }

    fn revision(&self, _path: &str) -> Result<u64> {
        pool::open_uri(&self.uri)?.revision()
    }
}
