//! An xarray dataset as one table, as `Dataset.to_dataframe` makes it: the outer product of its dimensions, the
//! variables as columns, the dimensions as the index.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, UInt64Array},
    compute::take,
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use tiled_plugin_api::{
    author::{Adapter, Context, Error, ErrorKind, Result},
    layout::parts,
    model::{ArrayStructure, ChildrenRequest, DataType, Description, Kind, SliceDim, StructureFamily},
};

use crate::{columns::column, pandas};

/// Rows of one batch.
const BATCH_ROWS: u64 = 1 << 16;
/// Children asked for at a time.
const PAGE: u64 = 1000;
/// Bytes of all variables together that are read at once.
const SLAB_BYTES: u64 = 16 << 20;
/// What must be in memory at once may be so large.
const MAX_BYTES: u64 = 256 << 20;

struct Variable {
    name: String,
    /// The place of each axis among the dimensions of the table.
    axes: Vec<usize>,
    dims: Vec<String>,
    structure: ArrayStructure,
    /// Where the values are; `None`: they are the positions along the dimension.
    stored: bool,
}

/// The variables of the dataset at the root of `node` as record batches; of `fields` only, where given. Dimensions
/// come last and are called the index in pandas' metadata. Values are read slab by slab along the first dimension; what
/// does not lie along it is read once.
///
/// # Errors
/// `NotAcceptable` where a child is no array or the variables' shapes contradict each other; `TooLarge` for what does not
/// fit into memory in slabs; those of the adapter.
pub fn table(
    cx: &Context,
    node: Arc<dyn Adapter>,
    fields: Option<&[String]>,
) -> Result<Box<dyn RecordBatchReader + Send>> {
    let mut variables = Vec::new();
    for (name, description) in children(&*node)? {
        if fields.is_none_or(|fields| fields.contains(&name)) {
            variables.push(variable(name, &description)?);
        }
    }
    let dims = dimensions(&variables)?;
    let rows = dims.iter().try_fold(1_u64, |all, (_, n)| all.checked_mul(*n)).ok_or_else(too_large)?;
    let (named, plain): (Vec<Variable>, Vec<Variable>) =
        variables.into_iter().partition(|v| dims.iter().any(|(dim, _)| *dim == v.name));
    let mut columns = plain;
    let index = index(&dims, named);
    let names: Vec<String> = index.iter().map(|v| v.name.clone()).collect();
    columns.extend(index);
    for variable in &mut columns {
        let place = |dim: &String| dims.iter().position(|(known, _)| known == dim).unwrap_or(0);
        variable.axes = variable.dims.iter().map(place).collect();
    }
    let schema = schema(&columns, &names)?;
    let batches = Batches::new(cx.clone(), node, schema.clone(), columns, dims, rows)?;
    Ok(Box::new(RecordBatchIterator::new(batches, schema)))
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "The dataset as one table has too many rows. Ask for fewer fields")
}

/// All children with their descriptions; data variables before coordinates, as xarray orders them.
fn children(node: &dyn Adapter) -> Result<Vec<(String, Description)>> {
    let mut all = Vec::new();
    loop {
        let page =
            node.children("", &ChildrenRequest { offset: all.len() as u64, limit: PAGE, keys_only: false })?;
        let got = page.items.len();
        for child in page.items {
            let description = match child.description {
                Some(description) => description,
                None => node.describe(&child.key)?,
            };
            all.push((child.key, description));
        }
        if got == 0 || all.len() as u64 >= page.count {
            break;
        }
    }
    all.sort_by_key(|(_, description)| description.specs.iter().any(|spec| spec.name == "xarray_coord"));
    Ok(all)
}

fn variable(name: String, description: &Description) -> Result<Variable> {
    if description.structure_family != StructureFamily::Array {
        let message =
            format!("{name}: a {} has no place in a table of variables", description.structure_family);
        return Err(Error::new(ErrorKind::NotAcceptable, message));
    }
    let structure: ArrayStructure = description.structure()?;
    let unnamed = || (0..structure.shape.len()).map(|axis| format!("dim_{axis}")).collect();
    let dims: Vec<String> = structure.dims.clone().unwrap_or_else(unnamed);
    if dims.len() != structure.shape.len() {
        return Err(Error::invalid_data(format!("{name}: dims and shape differ in length")));
    }
    Ok(Variable { name, axes: vec![], dims, structure, stored: true })
}

/// Names and lengths of the dimensions in the order of their first use.
fn dimensions(variables: &[Variable]) -> Result<Vec<(String, u64)>> {
    let mut dims: Vec<(String, u64)> = Vec::new();
    for variable in variables {
        for (dim, length) in variable.dims.iter().zip(&variable.structure.shape) {
            match dims.iter().find(|(known, _)| known == dim) {
                None => dims.push((dim.clone(), *length)),
                Some((_, known)) if known == length => {}
                Some((_, known)) => {
                    let message = format!("{}: {length} along {dim}, but {known} elsewhere", variable.name);
                    return Err(Error::new(ErrorKind::NotAcceptable, message));
                }
            }
        }
    }
    Ok(dims)
}

/// The index columns: the coordinate of each dimension, or positions where it has none.
fn index(dims: &[(String, u64)], named: Vec<Variable>) -> Vec<Variable> {
    let mut named: Vec<Option<Variable>> = named.into_iter().map(Some).collect();
    let mut index = Vec::new();
    for (dim, length) in dims {
        let found =
            named.iter_mut().find(|v| v.as_ref().is_some_and(|v| v.name == *dim)).and_then(Option::take);
        index.push(found.unwrap_or_else(|| Variable {
            name: dim.clone(),
            axes: vec![],
            dims: vec![dim.clone()],
            structure: ArrayStructure::single_chunk(DataType::native(Kind::Int, 8), vec![*length]),
            stored: false,
        }));
    }
    index
}

fn schema(columns: &[Variable], index: &[String]) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(columns.len());
    for variable in columns {
        let empty = column(&variable.structure.data_type, &[])?;
        fields.push(Field::new(&variable.name, empty.data_type().clone(), true));
    }
    let schema = Schema::new(fields);
    if index.is_empty() {
        return Ok(Arc::new(schema));
    }
    let metadata: std::collections::HashMap<String, String> =
        [("pandas".to_owned(), pandas::metadata(&schema, index))].into();
    Ok(Arc::new(schema.with_metadata(metadata)))
}

struct Batches {
    cx: Context,
    node: Arc<dyn Adapter>,
    schema: SchemaRef,
    columns: Vec<Variable>,
    dims: Vec<(String, u64)>,
    /// Positions along the first dimension that are read at once.
    step: u64,
    /// Rows for each of them.
    per: u64,
    rows: u64,
    at: u64,
    /// The first row that is not in memory.
    until: u64,
    /// From which position along the first dimension on, and how many, the values in memory are.
    slab: (u64, u64),
    values: Vec<Option<ArrayRef>>,
}

impl Batches {
    fn new(
        cx: Context,
        node: Arc<dyn Adapter>,
        schema: SchemaRef,
        columns: Vec<Variable>,
        dims: Vec<(String, u64)>,
        rows: u64,
    ) -> Result<Self> {
        let length = dims.first().map_or(1, |(_, length)| *length).max(1);
        let (mut row_bytes, mut once, mut chunk) = (0_u64, 0_u64, 1);
        for variable in &columns {
            let bytes = variable.structure.nbytes().ok_or_else(too_large)?;
            match variable.axes.iter().position(|axis| *axis == 0) {
                Some(axis) => {
                    row_bytes = row_bytes.saturating_add(bytes / length);
                    let lengths = variable.structure.chunks.get(axis);
                    chunk = chunk.max(lengths.and_then(|l| l.first()).copied().unwrap_or(1));
                }
                None => once = once.saturating_add(bytes),
            }
        }
        if once.saturating_add(row_bytes) > MAX_BYTES {
            return Err(too_large());
        }
        let step = (SLAB_BYTES / row_bytes.max(1)).clamp(1, length);
        // Whole chunks, where they fit.
        let step = if step > chunk { step - step % chunk } else { step };
        let values = columns.iter().map(|_| None).collect();
        let per = rows / length;
        Ok(Batches {
            cx,
            node,
            schema,
            columns,
            dims,
            step,
            per,
            rows,
            at: 0,
            until: 0,
            slab: (0, 0),
            values,
        })
    }

    /// Reads the values for the rows that come next.
    fn advance(&mut self) -> Result<()> {
        let from = self.at / self.per.max(1);
        let length = self.dims.first().map_or(1, |(_, length)| *length);
        let count = self.step.min(length - from.min(length));
        self.slab = (from, count);
        for (variable, values) in self.columns.iter().zip(&mut self.values) {
            let moves = variable.axes.contains(&0);
            if moves || values.is_none() {
                *values = Some(read(&self.cx, &*self.node, variable, (from, count))?);
            }
        }
        self.until = if self.dims.is_empty() { self.rows } else { (from + count) * self.per };
        Ok(())
    }

    fn batch(&self, from: u64, count: u64) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (variable, values) in self.columns.iter().zip(&self.values) {
            let values = values.as_ref().ok_or_else(|| Error::internal("a variable was not read"))?;
            // In the order of the rows already: nothing to look up.
            let is_straight = variable.axes.iter().copied().eq(0..self.dims.len());
            columns.push(if is_straight {
                let start = from - self.slab.0 * self.per;
                values.slice(start as usize, count as usize)
            } else {
                take(&**values, &self.places(variable, from, count), None).map_err(Error::from_arrow)?
            });
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(Error::from_arrow)
    }

    /// Where the values of `variable` for these rows of the outer product stand among those in memory.
    fn places(&self, variable: &Variable, from: u64, count: u64) -> UInt64Array {
        let lengths: Vec<u64> = self.dims.iter().map(|(_, length)| (*length).max(1)).collect();
        let mut strides = vec![0; lengths.len()];
        let mut stride = 1;
        for axis in variable.axes.iter().rev() {
            let length = if *axis == 0 { self.slab.1 } else { lengths.get(*axis).copied().unwrap_or(1) };
            if let Some(slot) = strides.get_mut(*axis) {
                *slot += stride;
            }
            stride *= length.max(1);
        }
        let mut positions = vec![0; lengths.len()];
        let mut rest = from;
        for (position, length) in positions.iter_mut().zip(&lengths).rev() {
            *position = rest % length;
            rest /= length;
        }
        if let Some(first) = positions.first_mut() {
            *first -= self.slab.0;
        }
        let mut place: u64 = positions.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
        let next = || {
            let now = place;
            for ((position, length), stride) in positions.iter_mut().zip(&lengths).zip(&strides).rev() {
                *position += 1;
                place += stride;
                if *position < *length {
                    break;
                }
                place -= stride * *position;
                *position = 0;
            }
            now
        };
        UInt64Array::from_iter_values(std::iter::repeat_with(next).take(count as usize))
    }
}

/// The values of a variable, of these positions along the first dimension only.
fn read(
    cx: &Context,
    node: &dyn Adapter,
    variable: &Variable,
    (from, count): (u64, u64),
) -> Result<ArrayRef> {
    let slice: Vec<SliceDim> = variable
        .structure
        .shape
        .iter()
        .zip(&variable.axes)
        .map(|(length, axis)| if *axis == 0 { SliceDim::range(from, count) } else { SliceDim::all(*length) })
        .collect();
    if !variable.stored {
        let place = |at: u64| i64::try_from(at).map_err(|_| too_large());
        let (start, count) = slice.first().map_or((0, 0), |dim| (dim.start, dim.count));
        return Ok(Arc::new(Int64Array::from_iter_values(place(start)?..place(start + count)?)));
    }
    let bytes = parts::read(node, cx, &variable.name, &variable.structure, &slice)?;
    column(&variable.structure.data_type, &bytes)
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.columns.is_empty() || self.at >= self.rows {
            return None;
        }
        let mut step = || {
            self.cx.check()?;
            if self.at >= self.until {
                self.advance()?;
            }
            let count = BATCH_ROWS.min(self.until - self.at);
            let batch = self.batch(self.at, count)?;
            self.at += count;
            Ok(batch)
        };
        Some(step().map_err(|error: Error| ArrowError::ExternalError(error.into())))
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{Child, Children, Spec};

    use super::*;

    /// `b` over (t, x), a coordinate `x`.
    struct Dataset;

    impl Dataset {
        fn array(dims: &[&str], shape: &[u64], spec: &str) -> Description {
            let mut structure =
                ArrayStructure::single_chunk(DataType::from_numpy_str("|u1").unwrap(), shape.to_vec());
            structure.dims = Some(dims.iter().map(|d| (*d).to_owned()).collect());
            let description = Description::new(StructureFamily::Array, &structure).unwrap();
            description.with_specs(vec![Spec::named(spec)])
        }
    }

    impl Adapter for Dataset {
        fn describe(&self, path: &str) -> Result<Description> {
            match path {
                "b" => Ok(Self::array(&["t", "x"], &[2, 3], "xarray_data_var")),
                "x" => Ok(Self::array(&["x"], &[3], "xarray_coord")),
                _ => Ok(Description::container(2)),
            }
        }

        fn children(&self, _path: &str, _request: &ChildrenRequest) -> Result<Children> {
            let child =
                |key: &str| Child { key: key.into(), description: self.describe(key).ok(), broken: None };
            Ok(Children { count: 2, items: vec![child("x"), child("b")] })
        }

        fn read_into(&self, _cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
            let values: &[u8] = if path == "b" { &[0, 1, 2, 3, 4, 5] } else { &[7, 8, 9] };
            let inner = if path == "b" { 3 } else { 1 };
            let start = slice[0].start as usize * inner;
            out.copy_from_slice(&values[start..start + out.len()]);
            Ok(())
        }
    }

    #[test]
    fn the_table_is_the_outer_product_of_the_dimensions() {
        let mut table = table(&Context::unbounded(), Arc::new(Dataset), None).unwrap();
        let names: Vec<String> = table.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["b", "t", "x"]);
        assert_eq!(pandas::index_columns(&table.schema()), ["t", "x"]);
        let batch = table.next().unwrap().unwrap();
        let shown =
            |column: usize| format!("{:?}", batch.column(column)).split_whitespace().collect::<String>();
        assert!(shown(0).contains("[0,1,2,3,4,5,]"));
        assert!(shown(1).contains("[0,0,0,1,1,1,]"));
        assert!(shown(2).contains("[7,8,9,7,8,9,]"));
        assert!(table.next().is_none());
    }

    /// `a` over (t, x, y) and `b` over (y, t), larger than one slab.
    struct Large;

    const SHAPE: [u64; 3] = [700, 90, 50];

    impl Adapter for Large {
        fn describe(&self, path: &str) -> Result<Description> {
            let (dims, shape): (&[&str], &[u64]) = match path {
                "a" => (&["t", "x", "y"], &SHAPE),
                "b" => (&["y", "t"], &[SHAPE[2], SHAPE[0]]),
                _ => return Ok(Description::container(2)),
            };
            let data_type = DataType::from_numpy_str("<i8").unwrap();
            let mut structure = ArrayStructure::chunked(data_type, shape.to_vec(), &vec![64; shape.len()]);
            structure.dims = Some(dims.iter().map(|d| (*d).to_owned()).collect());
            Description::new(StructureFamily::Array, &structure)
        }

        fn children(&self, _path: &str, _request: &ChildrenRequest) -> Result<Children> {
            let child =
                |key: &str| Child { key: key.into(), description: self.describe(key).ok(), broken: None };
            Ok(Children { count: 2, items: vec![child("a"), child("b")] })
        }

        fn read_into(&self, _cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
            let inner = if path == "a" { SHAPE[1] * SHAPE[2] } else { 1 };
            let t = slice[if path == "a" { 0 } else { 1 }];
            assert!(out.len() < 20 << 20, "{} bytes at once", out.len());
            let first = |n: u64| {
                let (outer, along) = (n / (t.count * inner), n % (t.count * inner));
                if path == "a" { t.start * inner + n } else { outer * SHAPE[0] + t.start + along }
            };
            for (n, item) in out.chunks_exact_mut(8).enumerate() {
                item.copy_from_slice(&first(n as u64).to_le_bytes());
            }
            Ok(())
        }
    }

    #[test]
    fn large_datasets_come_slab_by_slab() {
        use arrow::{array::AsArray, datatypes::Int64Type};
        let table = table(&Context::unbounded(), Arc::new(Large), None).unwrap();
        let mut row = 0_i64;
        let [ts, xs, ys] = SHAPE.map(|n| n as i64);
        for batch in table {
            let batch = batch.unwrap();
            let column = |place: usize| batch.column(place).as_primitive::<Int64Type>().values().clone();
            let (a, b, t, x, y) = (column(0), column(1), column(2), column(3), column(4));
            for at in 0..batch.num_rows() {
                let (want_t, want_x, want_y) = (row / (xs * ys), row / ys % xs, row % ys);
                assert_eq!((a[at], b[at]), (row, want_y * ts + want_t));
                assert_eq!((t[at], x[at], y[at]), (want_t, want_x, want_y));
                row += 1;
            }
        }
        assert_eq!(row, ts * xs * ys);
    }
}
