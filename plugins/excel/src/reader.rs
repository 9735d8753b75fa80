//! A workbook as a container of tables.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema},
};
use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
        one_batch, table_structure,
    },
    model::{Child, Children, ChildrenRequest, Description, Spec, StructureFamily},
};
use tiled_tabular::names::unique;

use crate::{book::Book, column::column, sheet::Cells};

/// Opens workbooks of all four formats.
pub struct WorkbookReader;

impl Reader for WorkbookReader {
    fn sniff(&self, source: &Source, head: &[u8]) -> u32 {
        let compound = head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
        let spreadsheet = head.windows(39).any(|part| part == b"application/vnd.oasis.opendocument.spre");
        match (compound, spreadsheet) {
            (_, true) => 90,
            // Word and others have the same container.
            (true, _) if source.name().to_ascii_lowercase().ends_with(".xls") => 80,
            _ => 0,
        }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let book = Book::open(request.source())?;
        let names = book.names();
        Ok(Box::new(Workbook { names, book: Mutex::new(book), read: Mutex::new(HashMap::new()) }))
    }
}

struct Workbook {
    names: Vec<String>,
    book: Mutex<Book>,
    /// Sheets that were read, by name: reading one takes the whole of it.
    read: Mutex<HashMap<String, Arc<RecordBatch>>>,
}

impl Workbook {
    fn sheet(&self, name: &str) -> Result<Arc<RecordBatch>> {
        if !self.names.iter().any(|known| known == name) {
            return Err(Error::not_found(format!("No such entry: {name}")));
        }
        if let Some(known) = self.read.lock().map_err(Error::internal)?.get(name) {
            return Ok(known.clone());
        }
        let cells = self.book.lock().map_err(Error::internal)?.cells(name)?;
        let batch = Arc::new(table(cells).map_err(|error| error.within(format!("sheet {name}")))?);
        self.read.lock().map_err(Error::internal)?.insert(name.to_owned(), batch.clone());
        Ok(batch)
    }

    fn table(&self, name: &str) -> Result<Description> {
        let structure = table_structure(&self.sheet(name)?.schema(), 1)?;
        Ok(Description::new(StructureFamily::Table, &structure)?.with_specs(vec![Spec::named("dataframe")]))
    }
}

/// The cells as a table: the first row names the columns, each is typed by the rest of it.
fn table(cells: Cells) -> Result<RecordBatch> {
    cells.check_extent()?;
    let rows = cells.rows.saturating_sub(1) as usize;
    let titles = cells.columns.iter().map(|cells| {
        let mut title = Vec::new();
        if let Some((_, value)) = cells.iter().find(|(row, _)| *row == 0) {
            value.push_text(&mut title);
        }
        String::from_utf8_lossy(&title).into_owned()
    });
    let names = unique(titles.collect());
    let columns: Vec<ArrayRef> = cells.columns.iter().map(|cells| column(cells, rows)).collect();
    let fields = names
        .into_iter()
        .zip(&columns)
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(Error::from_arrow)
}

impl Adapter for Workbook {
    fn describe(&self, path: &str) -> Result<Description> {
        if path.is_empty() { Ok(Description::container(self.names.len() as u64)) } else { self.table(path) }
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        if !path.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{path} is a table and has no children"),
            ));
        }
        let skip = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let child = |name: &String| {
            let key = name.clone();
            if request.keys_only {
                return Child { key, description: None, broken: None };
            }
            match self.table(name) {
                Ok(description) => Child { key, description: Some(description), broken: None },
                Err(error) => Child { key, description: None, broken: Some(error.message) },
            }
        };
        let items = self.names.iter().skip(skip).take(take).map(child).collect();
        Ok(Children { count: self.names.len() as u64, items })
    }

    fn read_table(&self, _cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        if path.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "A workbook is no table: ask for one of its sheets",
            ));
        }
        let batch = self.sheet(path)?;
        if request.partition.unwrap_or(0) > 0 {
            return Err(Error::new(ErrorKind::OutOfBounds, "Partition out of range"));
        }
        let Some(names) = &request.columns else { return Ok(one_batch((*batch).clone())) };
        let schema = batch.schema();
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
        };
        let places: Vec<usize> = names.iter().map(place).collect::<Result<_>>()?;
        batch.project(&places).map(one_batch).map_err(Error::from_arrow)
    }
}
