//! CSV files without a header as one array: files one below the other.

use std::sync::{Arc, Mutex};

use tiled_plugin_api::{
    author::{Adapter, Context, Error, Result},
    model::{ArrayStructure, DataType, Description, Endianness, Field, Kind, SliceDim, StructureFamily},
};

use tiled_tabular::values::{Whole, float, truth, whole};

use crate::{
    layout::{Column, Layout, Type, rows},
    table::Files,
    text,
    tokens::Record,
};

/// Arrays up to this size stay in memory between reads.
const KEEP_BYTES: u64 = 64 << 20;
/// Records between two looks at whether anyone still waits.
const CHECK_RECORDS: u64 = 4096;

/// An array of the fields, or of one record per line where columns differ in type.
pub struct CsvArray {
    files: Arc<Files>,
    structure: ArrayStructure,
    kept: Mutex<Option<Kept>>,
}

/// All values, and the versions of the files they were read from.
type Kept = (Vec<u64>, Arc<Vec<u8>>);

impl CsvArray {
    /// Opens the files; without a structure they are read once to learn it.
    ///
    /// # Errors
    /// `InvalidData` where they cannot be read.
    pub fn open(cx: &Context, files: Arc<Files>, structure: Option<serde_json::Value>) -> Result<Self> {
        let structure = match structure {
            Some(known) => serde_json::from_value(known).map_err(Error::internal)?,
            None => found(&files.layouts(cx)?),
        };
        Ok(CsvArray { files, structure, kept: Mutex::new(None) })
    }

    /// Bytes of the whole array.
    fn values(&self, cx: &Context) -> Result<Arc<Vec<u8>>> {
        let versions =
            self.files.sources.iter().map(|source| source.version()).collect::<Result<Vec<_>>>()?;
        let mut kept = self.kept.lock().map_err(Error::internal)?;
        if let Some((_, values)) = kept.as_ref().filter(|(at, _)| *at == versions) {
            return Ok(values.clone());
        }
        let values = Arc::new(self.parse(cx)?);
        if values.len() as u64 <= KEEP_BYTES {
            *kept = Some((versions, values.clone()));
        }
        Ok(values)
    }

    fn parse(&self, cx: &Context) -> Result<Vec<u8>> {
        let layouts = self.files.layouts(cx)?;
        let size = self.structure.nbytes().and_then(|bytes| usize::try_from(bytes).ok());
        let size = size.ok_or_else(|| Error::invalid_data("An array beyond memory"))?;
        let mut out = Vec::new();
        for (source, layout) in self.files.sources.iter().zip(&*layouts) {
            let name = source.name();
            self.parse_file(cx, source, layout, size, &mut out).map_err(|error| error.within(&name))?;
        }
        // More rows than there are can be asked for with `nrows`: they are zero, as Tiled has them.
        if out.len() < size && self.files.options.max_rows.is_some() {
            out.resize(size, 0);
        }
        if out.len() != size {
            return Err(Error::invalid_data(format!(
                "The files hold {} bytes of values, but the structure says {size}: they have changed",
                out.len()
            )));
        }
        Ok(out)
    }

    fn parse_file(
        &self,
        cx: &Context,
        source: &tiled_plugin_api::author::Source,
        layout: &Layout,
        size: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let types = self.types(&layout.columns)?;
        let (mut rows, _) = rows(source, &self.files.options)?;
        let (mut record, mut count) = (Record::default(), 0_u64);
        while out.len() < size && rows.next(&mut record)? {
            for (column, data_type) in layout.columns.iter().zip(&types) {
                let field = record.field(column.place);
                let missing = column.kind != Type::RawText && self.files.options.is_missing(field);
                push(out, field, missing, data_type, layout.latin1)
                    .map_err(|error| error.within(format!("row {count}, column {}", column.name)))?;
            }
            count += 1;
            if count.is_multiple_of(CHECK_RECORDS) {
                cx.check()?;
            }
        }
        Ok(())
    }

    /// The type of each column's elements.
    fn types<'a>(&'a self, columns: &[Column]) -> Result<Vec<&'a DataType>> {
        let types: Vec<&DataType> = match &self.structure.data_type {
            DataType::Struct { fields, .. } => fields.iter().map(|field| &field.dtype).collect(),
            builtin => vec![builtin; columns.len()],
        };
        if types.len() != columns.len() {
            let (wanted, got) = (types.len(), columns.len());
            return Err(Error::invalid_data(format!("{got} columns instead of {wanted}")));
        }
        Ok(types)
    }
}

/// The structure of files of unknown content.
fn found(layouts: &[Layout]) -> ArrayStructure {
    let rows: Vec<u64> = layouts.iter().map(|layout| layout.rows).collect();
    let columns = layouts.first().map_or(&[][..], |layout| &layout.columns);
    let kinds: Vec<DataType> = columns.iter().map(element).collect();
    let plain = |kind: &DataType| kind.kind();
    let alike = kinds.iter().all(|kind| plain(kind) == kinds.first().map_or(Kind::Float, plain));
    let (data_type, width) = match kinds.iter().max_by_key(|kind| kind.itemsize()) {
        Some(widest) if alike => (widest.clone(), columns.len() as u64),
        _ => {
            let fields =
                columns.iter().zip(kinds).map(|(column, kind)| Field::new(column.name.clone(), kind));
            (DataType::record(fields.collect()), 1)
        }
    };
    let shape = vec![rows.iter().sum(), width];
    ArrayStructure { data_type, chunks: vec![rows, vec![width]], shape, dims: None, resizable: false }
}

fn element(column: &Column) -> DataType {
    match column.kind {
        Type::Bool if !column.missing => DataType::native(Kind::Bool, 1),
        Type::Int => DataType::native(Kind::Int, 8),
        Type::Uint => DataType::native(Kind::Uint, 8),
        Type::Float => DataType::native(Kind::Float, 8),
        // A missing value is the text nan.
        _ => DataType::native(Kind::Unicode, 4 * column.width.max(if column.missing { 3 } else { 1 }) as u64),
    }
}

/// Appends a field as an element.
fn push(out: &mut Vec<u8>, field: &[u8], missing: bool, data_type: &DataType, latin1: bool) -> Result<()> {
    let size = usize::try_from(data_type.itemsize()).map_err(Error::internal)?;
    let big = data_type.endianness() == Endianness::Big;
    let start = out.len();
    let wrong = || {
        let what = data_type.numpy_str().unwrap_or_default();
        Error::invalid_data(format!("{:?} is no element of type {what}", text::field(field, latin1)))
    };
    match data_type.kind() {
        Kind::Bool => {
            let number = || float(field).map(|value| value != 0.0);
            out.push(u8::from(truth(field).or_else(number).filter(|_| !missing).ok_or_else(wrong)?));
            return Ok(());
        }
        Kind::Int | Kind::Uint => {
            let value = match whole(field) {
                Whole::Int(value) => value,
                Whole::Uint(value) => value as i64,
                // NumPy cuts floats off.
                _ => match (truth(field), float(field)) {
                    (Some(value), _) => i64::from(value),
                    (_, Some(value)) => value as i64,
                    _ => return Err(wrong()),
                },
            };
            out.extend_from_slice(value.to_le_bytes().get(..size).ok_or_else(wrong)?);
        }
        Kind::Float => {
            let number = || float(field).or_else(|| truth(field).map(|value| f64::from(u8::from(value))));
            let value = if missing { f64::NAN } else { number().ok_or_else(wrong)? };
            match size {
                4 => out.extend_from_slice(&(value as f32).to_le_bytes()),
                8 => out.extend_from_slice(&value.to_le_bytes()),
                _ => return Err(wrong()),
            }
        }
        Kind::Unicode => {
            let value = if missing { "nan".into() } else { text::field(field, latin1) };
            for c in value.chars().take(size / 4) {
                let code = u32::from(c);
                out.extend_from_slice(&if big { code.to_be_bytes() } else { code.to_le_bytes() });
            }
            out.resize(start + size, 0);
            return Ok(());
        }
        Kind::Bytes => {
            out.extend(field.iter().take(size));
            out.resize(start + size, 0);
            return Ok(());
        }
        _ => return Err(wrong()),
    }
    if big && let Some(element) = out.get_mut(start..) {
        element.reverse();
    }
    Ok(())
}

impl Adapter for CsvArray {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Array, &self.structure)
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        self.describe(path)?;
        let values = self.values(cx)?;
        let size = usize::try_from(self.structure.data_type.itemsize()).map_err(Error::internal)?;
        let mut strides = vec![size; slice.len()];
        for axis in (1..slice.len()).rev() {
            let length = self.structure.shape.get(axis).copied().unwrap_or(1);
            let below = strides.get(axis).copied().unwrap_or(size) * length as usize;
            if let Some(stride) = strides.get_mut(axis - 1) {
                *stride = below;
            }
        }
        let mut places = vec![0_usize];
        for (dim, stride) in slice.iter().zip(&strides) {
            let along = |start: usize| (0..dim.count).map(move |i| start + dim.at(i) as usize * stride);
            places = places.into_iter().flat_map(along).collect();
        }
        for (element, place) in out.chunks_exact_mut(size.max(1)).zip(places) {
            let from =
                values.get(place..place + size).ok_or_else(|| Error::internal("a slice beyond the array"))?;
            element.copy_from_slice(from);
        }
        Ok(())
    }
}
