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
    model::{ArrayStructure, ChildrenRequest, Description, SliceDim, StructureFamily},
};

use crate::{columns::column, pandas};

/// Rows of one batch.
const BATCH_ROWS: u64 = 1 << 16;
/// Children asked for at a time.
const PAGE: u64 = 1000;

struct Variable {
    name: String,
    dims: Vec<String>,
    shape: Vec<u64>,
    values: ArrayRef,
}

/// The variables of the dataset at the root of `node` as record batches; of `fields` only, where given. Dimensions
/// come last and are called the index in pandas' metadata.
///
/// # Errors
/// `NotAcceptable` where a child is no array or the variables' shapes contradict each other; those of the adapter.
pub fn table(
    cx: &Context,
    node: Arc<dyn Adapter>,
    fields: Option<&[String]>,
) -> Result<Box<dyn RecordBatchReader + Send>> {
    let mut variables = Vec::new();
    for (name, description) in children(&*node)? {
        if fields.is_none_or(|fields| fields.contains(&name)) {
            variables.push(variable(cx, &*node, name, &description)?);
        }
    }
    let dims = dimensions(&variables)?;
    let rows = dims.iter().try_fold(1_u64, |all, (_, n)| all.checked_mul(*n)).ok_or_else(too_large)?;
    let (named, plain): (Vec<Variable>, Vec<Variable>) =
        variables.into_iter().partition(|v| dims.iter().any(|(dim, _)| *dim == v.name));
    let mut columns = plain;
    let index = index(&dims, named)?;
    let names: Vec<String> = index.iter().map(|v| v.name.clone()).collect();
    columns.extend(index);
    let schema = schema(&columns, &names);
    let batches = Batches { schema: schema.clone(), columns, dims, rows, at: 0, cx: cx.clone() };
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

fn variable(cx: &Context, node: &dyn Adapter, name: String, description: &Description) -> Result<Variable> {
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
    let slice: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
    let bytes = structure.nbytes().ok_or_else(too_large)?;
    let values = match node.read_owned(cx, &name, &slice)? {
        Some(owned) => column(&structure.data_type, &owned)?,
        None => {
            let mut buffer = vec![0; usize::try_from(bytes).map_err(|_| too_large())?];
            node.read_into(cx, &name, &slice, &mut buffer)?;
            column(&structure.data_type, &buffer)?
        }
    };
    Ok(Variable { name, dims, shape: structure.shape, values })
}

/// Names and lengths of the dimensions in the order of their first use.
fn dimensions(variables: &[Variable]) -> Result<Vec<(String, u64)>> {
    let mut dims: Vec<(String, u64)> = Vec::new();
    for variable in variables {
        for (dim, length) in variable.dims.iter().zip(&variable.shape) {
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
fn index(dims: &[(String, u64)], named: Vec<Variable>) -> Result<Vec<Variable>> {
    let mut named: Vec<Option<Variable>> = named.into_iter().map(Some).collect();
    let mut index = Vec::new();
    for (dim, length) in dims {
        let found =
            named.iter_mut().find(|v| v.as_ref().is_some_and(|v| v.name == *dim)).and_then(Option::take);
        match found {
            Some(coordinate) => index.push(coordinate),
            None => {
                let count = i64::try_from(*length).map_err(|_| too_large())?;
                let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
                index.push(Variable {
                    name: dim.clone(),
                    dims: vec![dim.clone()],
                    shape: vec![*length],
                    values,
                });
            }
        }
    }
    Ok(index)
}

fn schema(columns: &[Variable], index: &[String]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|v| Field::new(&v.name, v.values.data_type().clone(), true)).collect();
    let schema = Schema::new(fields);
    if index.is_empty() {
        return Arc::new(schema);
    }
    let metadata: std::collections::HashMap<String, String> =
        [("pandas".to_owned(), pandas::metadata(&schema, index))].into();
    Arc::new(schema.with_metadata(metadata))
}

struct Batches {
    schema: SchemaRef,
    columns: Vec<Variable>,
    dims: Vec<(String, u64)>,
    rows: u64,
    at: u64,
    cx: Context,
}

impl Batches {
    fn batch(&self, from: u64, count: u64) -> Result<RecordBatch, ArrowError> {
        self.cx.check().map_err(|error| ArrowError::ExternalError(error.into()))?;
        let columns = self.columns.iter().map(|variable| {
            let places: UInt64Array = (from..from + count).map(|row| self.place(variable, row)).collect();
            take(&*variable.values, &places, None)
        });
        RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, _>>()?)
    }

    /// Where the value of `variable` for a row of the outer product stands.
    fn place(&self, variable: &Variable, row: u64) -> u64 {
        let mut rest = row;
        let mut positions = vec![0; self.dims.len()];
        for (position, (_, length)) in positions.iter_mut().zip(&self.dims).rev() {
            *position = rest % length.max(&1);
            rest /= length.max(&1);
        }
        variable.dims.iter().zip(&variable.shape).fold(0, |place, (dim, length)| {
            let axis = self.dims.iter().position(|(known, _)| known == dim).unwrap_or(0);
            place * length + positions.get(axis).copied().unwrap_or(0)
        })
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.columns.is_empty() || self.at >= self.rows {
            return None;
        }
        let (from, count) = (self.at, BATCH_ROWS.min(self.rows - self.at));
        self.at += count;
        Some(self.batch(from, count))
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{Child, Children, DataType, Spec};

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

        fn read_into(&self, _cx: &Context, path: &str, _slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
            out.copy_from_slice(if path == "b" { &[0, 1, 2, 3, 4, 5] } else { &[7, 8, 9] });
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
}
