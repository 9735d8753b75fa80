//! Making, opening and removing tables and ragged arrays.

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{
        Context, CreateRequest, Created, CreatedAsset, Error, ErrorKind, OpenRequest, Result, Storage, Writer,
    },
    model::{RaggedStructure, StructureFamily},
};

use crate::{
    address::{Address, Dialect},
    create,
    layout::Layout,
    pool,
    ragged::{RaggedTable, tabular},
    ragged_store::RaggedStore,
    store::TableStore,
    table::opened,
};

/// The media type of ragged arrays.
const RAGGED: &str = "application/x-ragged+sql";

/// Keeps tables and ragged arrays.
pub struct SqlWriter;

fn layout(
    dialect: Dialect,
    family: StructureFamily,
    structure: &Value,
    parameters: &Map<String, Value>,
) -> Result<Layout> {
    let unreadable = |error: serde_json::Error| Error::invalid_data(format!("The structure: {error}"));
    match family {
        StructureFamily::Table => {
            let structure = serde_json::from_value(structure.clone()).map_err(unreadable)?;
            Layout::of(dialect, &structure, parameters)
        }
        StructureFamily::Ragged => {
            let structure: RaggedStructure = serde_json::from_value(structure.clone()).map_err(unreadable)?;
            let first = (structure.shape.first(), structure.chunks.first());
            let (Some(Some(length)), Some(Some(chunks))) = first else {
                return Err(Error::invalid_data("The first axis of a ragged array has a length and chunks"));
            };
            if chunks.iter().try_fold(0_u64, |all, n| all.checked_add(*n)) != Some(*length) {
                return Err(Error::invalid_data("The chunks do not add up to the first axis"));
            }
            tabular(dialect, &structure, parameters)
        }
        other => {
            let text = format!("Tables and ragged arrays are kept in databases, not {other}");
            Err(Error::new(ErrorKind::InvalidArgument, text))
        }
    }
}

impl Writer for SqlWriter {
    fn create(&self, _cx: &Context, request: &CreateRequest) -> Result<Created> {
        let address = Address::parse(&request.storage_uri)?;
        let layout =
            layout(address.dialect, request.structure_family, &request.structure, &request.parameters)?;
        let number = create::create(&pool::open_uri(&request.storage_uri)?, &layout)?;
        let mut parameters = request.parameters.clone();
        parameters.insert("table_name".into(), layout.table.into());
        parameters.insert("dataset_id".into(), number.into());
        let asset = CreatedAsset::only(address.public, false);
        Ok(Created { structure: None, parameters, properties: Map::new(), assets: vec![asset] })
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        if request.mimetype == RAGGED {
            return Ok(Box::new(RaggedStore::new(RaggedTable::of(&request)?)));
        }
        let (_, layout, uri) = opened(&request)?;
        Ok(Box::new(TableStore::new(layout, uri)))
    }

    fn delete(&self, _cx: &Context, request: OpenRequest) -> Result<()> {
        let (layout, uri) = if request.mimetype == RAGGED {
            let table = RaggedTable::of(&request)?;
            ((*table.layout).clone(), table.uri)
        } else {
            let (_, layout, uri) = opened(&request)?;
            (layout, uri)
        };
        create::delete(&pool::open_uri(&uri)?, &layout)
    }
}
