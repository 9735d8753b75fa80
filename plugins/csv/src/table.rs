//! CSV files as a table, one partition each.

use std::sync::{Arc, Mutex};

use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
        table_structure,
    },
    model::{Description, StructureFamily, TableStructure},
};

use crate::{
    array::CsvArray,
    build::{Batches, schema},
    layout::{Column, Layout, layout},
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
        let files = Arc::new(Files { sources, options, layouts: Mutex::new(None) });
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
    /// How to read them.
    pub options: Arc<Options>,
    /// By the versions of the files.
    layouts: Mutex<Option<Known>>,
}

/// What the files hold, and the versions of the files it was read from.
type Known = (Vec<u64>, Arc<Vec<Layout>>);

impl Files {
    /// What each file holds, with types that hold the values of all.
    ///
    /// # Errors
    /// `InvalidData` where files contradict each other; those of [`layout`].
    pub fn layouts(&self, cx: &Context) -> Result<Arc<Vec<Layout>>> {
        let versions = self.sources.iter().map(|source| source.version()).collect::<Result<Vec<_>>>()?;
        let mut known = self.layouts.lock().map_err(Error::internal)?;
        if let Some((_, layouts)) = known.as_ref().filter(|(at, _)| *at == versions) {
            return Ok(layouts.clone());
        }
        let layouts = self
            .sources
            .iter()
            .map(|source| layout(cx, source, &self.options))
            .collect::<Result<Vec<_>>>()?;
        let layouts = Arc::new(unified(layouts)?);
        *known = Some((versions, layouts.clone()));
        Ok(layouts)
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
        &self,
        cx: &Context,
        numbers: std::ops::Range<usize>,
        names: Option<&[String]>,
    ) -> Result<TableStream> {
        let layouts = self.layouts(cx)?;
        let first = layouts.first().ok_or_else(|| Error::internal("a table without files"))?;
        let schema = schema(&chosen(first, names)?, &first.index);
        let (sources, options, cx) = (self.sources.clone(), self.options.clone(), cx.clone());
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
                let (source, layout) = sources.get(number).zip(layouts.get(number))?;
                let opened = chosen(layout, names.as_deref()).and_then(|mut columns| {
                    columns.extend(layout.index.iter().cloned());
                    Batches::open(&cx, source, options.clone(), columns, stream_schema.clone(), layout.latin1)
                });
                match opened {
                    Ok(batches) => current = Some(batches),
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

fn chosen(layout: &Layout, names: Option<&[String]>) -> Result<Vec<Column>> {
    let Some(names) = names else { return Ok(layout.columns.clone()) };
    let find = |name: &String| {
        let found = layout.columns.iter().find(|column| column.name == *name);
        found.cloned().ok_or_else(|| Error::not_found(format!("No such field {name}")))
    };
    names.iter().map(find).collect()
}

/// The same columns in each file, with types that hold the values of all.
fn unified(mut layouts: Vec<Layout>) -> Result<Vec<Layout>> {
    let Some(first) = layouts.first().cloned() else { return Ok(layouts) };
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
