//! Values of netCDF-4 variables: those of the dataset, and the fill value where a record dimension is longer than it.

use tiled_plugin_api::prelude::*;

use super::{
    classic::swap,
    model::{Place, Values, Variable},
};
use crate::hdf5::{
    links::Linked,
    read::{Reading, read},
};

/// Values of netCDF-4 variables, through the same path as those of HDF5 datasets.
pub(crate) struct Hdf5Values(pub(crate) Linked);

impl Values for Hdf5Values {
    fn read(&self, cx: &Context, variable: &Variable, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let Place::Hdf5 { path, extent, fill, swapped } = &variable.place else {
            return Err(Error::internal("no variable of a netCDF-4 file"));
        };
        let dataset = self.0.dataset(cx, &self.0.root, path, 0)?;
        if dataset.element.data_type.itemsize() != variable.stored.size() as u64 {
            return Err(Error::invalid_data(format!(
                "variable {}: the file has changed, reload",
                variable.name
            )));
        }
        let reading = Reading { cx, linked: &self.0, depth: 0 };
        let inside: Vec<(u64, u64)> = slice.iter().zip(extent).map(|(dim, n)| within(*dim, *n)).collect();
        if slice.iter().zip(&inside).all(|(dim, (_, count))| dim.count == *count) {
            read(&reading, &dataset, slice, out)?;
        } else {
            out.chunks_exact_mut(fill.len().max(1)).for_each(|place| place.copy_from_slice(fill));
            let part: Vec<SliceDim> =
                slice.iter().zip(&inside).map(|(dim, (from, count))| dim.part(*from, *count)).collect();
            let size = variable.stored.size();
            let bytes =
                part.iter().try_fold(size, |all, dim| all.checked_mul(usize::try_from(dim.count).ok()?));
            let mut values = vec![0; bytes.ok_or_else(|| Error::invalid_data("the part is too large"))?];
            if !values.is_empty() {
                read(&reading, &dataset, &part, &mut values)?;
            }
            if *swapped {
                swap(&mut values, size);
            }
            return place(&values, &inside, &slice.iter().map(|dim| dim.count).collect::<Vec<_>>(), out);
        }
        if *swapped {
            swap(out, variable.stored.size());
        }
        Ok(())
    }
}

/// Which elements of a slice lie below `length`: the first of them, and how many.
fn within(dim: SliceDim, length: u64) -> (u64, u64) {
    let step = dim.step.unsigned_abs().max(1);
    if dim.count == 0 || length == 0 {
        return (0, 0);
    }
    if dim.step > 0 {
        let count = if dim.start < length { (length - dim.start).div_ceil(step) } else { 0 };
        return (0, count.min(dim.count));
    }
    let from = if dim.start < length { 0 } else { (dim.start - length) / step + 1 };
    (from.min(dim.count), dim.count - from.min(dim.count))
}

/// Copies the box `values` to its place in `out`, whose axes have the lengths `counts`.
fn place(values: &[u8], inside: &[(u64, u64)], counts: &[u64], out: &mut [u8]) -> Result<()> {
    let (Some(((from, count), inside)), Some((length, counts))) =
        (inside.split_first(), counts.split_first())
    else {
        out.copy_from_slice(values);
        return Ok(());
    };
    if *count == 0 || *length == 0 {
        return Ok(());
    }
    let short = || Error::internal("a part does not fit its place");
    let each =
        |all: usize, n: u64| usize::try_from(n).ok().and_then(|n| all.checked_div(n)).ok_or_else(short);
    let (row_in, row_out) = (each(values.len(), *count)?, each(out.len(), *length)?);
    if row_in == 0 {
        return Ok(());
    }
    let first = usize::try_from(*from).map_err(Error::internal)?;
    for (row, target) in values.chunks_exact(row_in).zip(out.chunks_exact_mut(row_out).skip(first)) {
        place(row, inside, counts, target)?;
    }
    Ok(())
}
