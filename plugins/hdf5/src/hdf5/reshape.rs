//! An array in the shape that the catalog declares for it: the same elements in the same order, on other axes.

use tiled_plugin_api::prelude::*;

use super::{
    boxes::{Box, strides},
    read::{Reading, buffer_len},
    view::View,
};

/// Elements around the wanted ones that are read along with them, in bytes.
const SPAN_BYTES: u64 = 64 << 20;

/// A view and the shape it is served in.
pub(crate) struct Reshaped<'a> {
    pub(crate) view: &'a View,
    /// The view's own shape.
    pub(crate) own: &'a [u64],
    /// The declared one, of as many elements.
    pub(crate) declared: &'a [u64],
    /// Bytes of an element.
    pub(crate) item: usize,
}

impl Reshaped<'_> {
    /// Fills `out` with a part of the declared shape.
    ///
    /// # Errors
    /// As reading the view.
    pub(crate) fn read(&self, with: &Reading, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let (low, high) = self.span(slice)?;
        let elements = high - low + 1;
        let wanted = slice.iter().map(|s| s.count).product::<u64>();
        if elements == wanted && slice.iter().all(|s| s.step > 0 || s.count == 1) {
            return self.flat(with, 0, low, &mut vec![], out);
        }
        let bytes = elements.saturating_mul(self.item as u64);
        if bytes <= SPAN_BYTES || bytes / 2 <= out.len() as u64 {
            let mut around = vec![0; buffer_len(&[SliceDim::range(0, elements)], self.item)?];
            self.flat(with, 0, low, &mut vec![], &mut around)?;
            let mut part = Box::of(slice, self.declared, self.item)?;
            part.from = part.from.saturating_sub(low.saturating_mul(self.item as u64));
            return part.copy(&around, out);
        }
        // Too far apart: one position of the first axis that has several at a time.
        let axis = slice.iter().position(|s| s.count > 1).unwrap_or(0);
        let count = slice.get(axis).map_or(1, |s| s.count);
        let each = out.len() / usize::try_from(count).map_err(Error::internal)?;
        for (i, place) in (0..count).zip(out.chunks_exact_mut(each.max(1))) {
            let mut one = slice.to_vec();
            if let Some(dim) = one.get_mut(axis) {
                *dim = SliceDim::range(dim.at(i), 1);
            }
            self.read(with, &one, place)?;
        }
        Ok(())
    }

    /// The first and last element that a part touches, counted through the array.
    fn span(&self, slice: &[SliceDim]) -> Result<(u64, u64)> {
        let (mut low, mut high) = (0, 0);
        for (dim, stride) in slice.iter().zip(strides(self.declared, 1)?) {
            let (from, to) = dim.bounds().unwrap_or_default();
            low += from * stride;
            high += to * stride;
        }
        Ok((low, high))
    }

    /// Elements one after the other from `start` on, at the place `at` on the axes before `axis`: first the rest of a
    /// row, then whole rows, then the beginning of a row.
    fn flat(
        &self,
        with: &Reading,
        axis: usize,
        start: u64,
        at: &mut Vec<SliceDim>,
        out: &mut [u8],
    ) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        if axis == self.own.len() {
            return self.view.read_own(with, at, out);
        }
        let inner = self.own.get(axis + 1..).unwrap_or_default();
        let row: u64 = inner.iter().product::<u64>().max(1);
        let row_bytes = usize::try_from(row).map_err(Error::internal)?.saturating_mul(self.item);
        let (mut index, offset) = (start / row, start % row);
        let mut out = out;
        if offset > 0 {
            let rest = usize::try_from(row - offset).map_err(Error::internal)?.saturating_mul(self.item);
            let (now, later) = out.split_at_mut(rest.min(out.len()));
            at.push(SliceDim::range(index, 1));
            self.flat(with, axis + 1, offset, at, now)?;
            at.pop();
            (out, index) = (later, index + 1);
        }
        let rows = out.len() / row_bytes.max(1);
        let (now, later) = out.split_at_mut(rows * row_bytes);
        if rows > 0 {
            let mut slice = at.clone();
            slice.push(SliceDim::range(index, rows as u64));
            slice.extend(inner.iter().map(|n| SliceDim::all(*n)));
            self.view.read_own(with, &slice, now)?;
        }
        at.push(SliceDim::range(index + rows as u64, 1));
        self.flat(with, axis + 1, 0, at, later)?;
        at.pop();
        Ok(())
    }
}
