//! CSV files as a table, one partition each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
        table_structure,
    },
    model::{Description, StructureFamily, TableStructure},
};

use arrow::datatypes::{Field, SchemaRef};
use tiled_tabular::{fit::decode_schema, pandas};

use crate::{
    array::CsvArray,
    build::{Batches, schema},
    declared::declare,
    layout::{Column, Layout, Type, layout},
    options::Options,
};

/// Opens delimited text. `header=absent` as a parameter of the media type makes it an array.
pub struct CsvReader {
    /// Between fields, where no parameter says otherwise.
    pub delimiter: u8,
}

impl Reader for CsvReader {
    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let is_array = request.mimetype_parameter("header") == Some("absent");
        let options = Arc::new(Options::new(&request.parameters, self.delimiter, !is_array)?);
        let sources: Vec<Source> = request.assets.iter().map(|asset| asset.source.clone()).collect();
        let absent = |error: Error| error.kind == ErrorKind::NotFound;
        let known = request.structure.is_some();
        let awaited =
            sources.iter().map(|source| known && source.version().err().is_some_and(absent)).collect();
        let declared = match &request.structure {
            Some(structure) if !is_array => declared_schema(structure)?,
            _ => None,
        };
        let files = Arc::new(Files { sources, awaited, declared, options, layouts: Mutex::new(None) });
        if is_array {
            return Ok(Box::new(CsvArray::open(cx, files, request.structure)?));
        }
        let structure = match request.structure {
            Some(known) => serde_json::from_value(known).map_err(Error::internal)?,
            None => files.structure(cx)?,
        };
        Ok(Box::new(Csv { files, structure }))
    }
}

/// The files of a table and what is known of them.
pub struct Files {
    /// In order.
    pub sources: Vec<Source>,
    /// Whether each was not written yet when the table was opened: the server itself writes it.
    awaited: Vec<bool>,
    /// The columns that the catalog has.
    declared: Option<SchemaRef>,
    /// How to read them.
    pub options: Arc<Options>,
    /// By the versions of the files.
    layouts: Mutex<Option<Known>>,
}

/// The version of a file that is yet to be written. Those of files are never 0.
pub const UNWRITTEN: u64 = 0;

/// What the files hold, and the versions of the files it was read from.
type Known = (Vec<u64>, Arc<Vec<Layout>>);

impl Files {
    /// What each file holds, with types that hold the values of all.
    ///
    /// # Errors
    /// `InvalidData` where files contradict each other; those of [`layout`].
    pub fn layouts(&self, cx: &Context) -> Result<Arc<Vec<Layout>>> {
        let versions =
            (0..self.sources.len()).map(|number| self.version(number)).collect::<Result<Vec<_>>>()?;
        let mut known = self.layouts.lock().map_err(Error::internal)?;
        if let Some((_, layouts)) = known.as_ref().filter(|(at, _)| *at == versions) {
            return Ok(layouts.clone());
        }
        let mut found = Vec::with_capacity(versions.len());
        for (source, version) in self.sources.iter().zip(&versions) {
            let is_there = *version != UNWRITTEN;
            found.push(is_there.then(|| layout(cx, source, &self.options)).transpose()?);
        }
        let unwritten = found.iter().flatten().next().map_or_else(|| self.unwritten(), Layout::without_rows);
        let layouts = found.into_iter().map(|layout| layout.unwrap_or_else(|| unwritten.clone())).collect();
        let mut layouts = unified(layouts)?;
        if let Some(declared) = &self.declared {
            declare(cx, self, declared, &versions, &mut layouts)?;
        }
        let layouts = Arc::new(layouts);
        *known = Some((versions, layouts.clone()));
        Ok(layouts)
    }

    /// The version of a file, [`UNWRITTEN`] where it is yet to come.
    fn version(&self, number: usize) -> Result<u64> {
        let source = self.sources.get(number).ok_or_else(|| Error::internal("a file that is not there"))?;
        match source.version() {
            Err(error) if error.kind == ErrorKind::NotFound && self.awaited.get(number) == Some(&true) => {
                Ok(UNWRITTEN)
            }
            version => version,
        }
    }

    /// What a table looks like of which nothing is written.
    fn unwritten(&self) -> Layout {
        let declared = self.declared.iter().flat_map(|schema| {
            let index = pandas::index_columns(schema);
            schema.fields().iter().filter(move |field| !index.contains(field.name()))
        });
        let column = |(place, field): (usize, &Arc<Field>)| Column {
            name: field.name().clone(),
            place,
            kind: Type::Text,
            width: 0,
            missing: false,
            target: None,
        };
        Layout { columns: declared.enumerate().map(column).collect(), index: vec![], rows: 0, latin1: false }
    }

    /// The rows of one file; none where it is yet to be written.
    ///
    /// # Errors
    /// Those of the source.
    pub fn batches(
        &self,
        cx: &Context,
        number: usize,
        columns: Vec<Column>,
        schema: SchemaRef,
        latin1: bool,
    ) -> Result<Option<Batches>> {
        if self.version(number)? == UNWRITTEN {
            return Ok(None);
        }
        let source = self.sources.get(number).ok_or_else(|| Error::internal("a file that is not there"))?;
        Batches::open(cx, source, self.options.clone(), columns, schema, latin1).map(Some)
    }

    fn first(&self, cx: &Context) -> Result<Layout> {
        self.layouts(cx)?.first().cloned().ok_or_else(|| Error::internal("a table without files"))
    }

    fn structure(&self, cx: &Context) -> Result<TableStructure> {
        let first = self.first(cx)?;
        table_structure(&schema(&first.columns, &first.index), self.sources.len() as u64)
    }

    /// The rows of some files one after the other: these columns, then those of the index.
    ///
    /// # Errors
    /// `NotFound` for an unknown column; those of [`layout`].
    pub fn read(
        self: &Arc<Self>,
        cx: &Context,
        numbers: std::ops::Range<usize>,
        names: Option<&[String]>,
    ) -> Result<TableStream> {
        let layouts = self.layouts(cx)?;
        let first = layouts.first().ok_or_else(|| Error::internal("a table without files"))?;
        let schema = schema(&chosen(first, names)?, &first.index);
        let (files, cx) = (self.clone(), cx.clone());
        let names = names.map(<[String]>::to_vec);
        let stream_schema = schema.clone();
        let mut numbers = numbers;
        let mut current: Option<Batches> = None;
        let batches = std::iter::from_fn(move || {
            loop {
                if let Some(batch) = current.as_mut().and_then(Iterator::next) {
                    return Some(batch);
                }
                let number = numbers.next()?;
                let layout = layouts.get(number)?;
                let opened = chosen(layout, names.as_deref()).and_then(|mut columns| {
                    columns.extend(layout.index.iter().cloned());
                    files.batches(&cx, number, columns, stream_schema.clone(), layout.latin1)
                });
                match opened {
                    Ok(batches) => current = batches,
                    Err(error) => {
                        numbers = 0..0;
                        return Some(Err(error));
                    }
                }
            }
        });
        Ok(TableStream::from_batches(schema, batches))
    }
}

/// The columns of a table's structure; `None` where it says none, as structures made by hand do.
fn declared_schema(structure: &serde_json::Value) -> Result<Option<SchemaRef>> {
    let uri = structure.get("arrow_schema").and_then(serde_json::Value::as_str);
    uri.filter(|uri| !uri.is_empty()).map(decode_schema).transpose()
}

fn chosen(layout: &Layout, names: Option<&[String]>) -> Result<Vec<Column>> {
    let Some(names) = names else { return Ok(layout.columns.clone()) };
    let known: HashMap<&str, &Column> =
        layout.columns.iter().rev().map(|column| (column.name.as_str(), column)).collect();
    let find = |name: &String| {
        let found = known.get(name.as_str()).copied();
        found.cloned().ok_or_else(|| Error::not_found(format!("No such field {name}")))
    };
    names.iter().map(find).collect()
}

/// The same columns in each file, in the order of the first, with types that hold the values of all.
fn unified(mut layouts: Vec<Layout>) -> Result<Vec<Layout>> {
    let Some(first) = layouts.first().cloned() else { return Ok(layouts) };
    for layout in layouts.iter_mut().skip(1).filter(|layout| layout.columns.len() == first.columns.len()) {
        let known: HashMap<&str, &Column> =
            layout.columns.iter().rev().map(|column| (column.name.as_str(), column)).collect();
        let find = |wanted: &Column| known.get(wanted.name.as_str()).copied().cloned();
        if let Some(columns) = first.columns.iter().map(find).collect::<Option<Vec<Column>>>() {
            layout.columns = columns;
        }
    }
    let mut columns = first.columns;
    let mut index = first.index;
    for (number, layout) in layouts.iter().enumerate().skip(1) {
        let same =
            |a: &[Column], b: &[Column]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name);
        if !same(&columns, &layout.columns) || !same(&index, &layout.index) {
            return Err(Error::invalid_data(format!("Partition {number} has other columns than the first")));
        }
        // A file without rows says nothing of its types.
        let merged = columns.iter_mut().chain(&mut index).zip(layout.columns.iter().chain(&layout.index));
        for (column, other) in merged.filter(|_| layout.rows > 0) {
            column.kind = column.kind.with(other.kind);
            column.width = column.width.max(other.width);
            column.missing |= other.missing;
        }
    }
    for layout in &mut layouts {
        let kinds = columns.iter().chain(&index);
        for (column, merged) in layout.columns.iter_mut().chain(&mut layout.index).zip(kinds) {
            (column.kind, column.width, column.missing) = (merged.kind, merged.width, merged.missing);
        }
    }
    Ok(layouts)
}

struct Csv {
    files: Arc<Files>,
    structure: TableStructure,
}

impl Adapter for Csv {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Table, &self.structure)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        self.describe(path)?;
        let count = self.files.sources.len();
        let numbers = match request.partition.map(usize::try_from) {
            None => 0..count,
            Some(Ok(number)) if number < count => number..number + 1,
            Some(_) => return Err(Error::new(ErrorKind::OutOfBounds, "Partition out of range")),
        };
        self.files.read(cx, numbers, request.columns.as_deref())
    }
}
