//! NumPy's `descr` of a header as a data type, and how its elements lie in the file.

use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Field, Kind},
};

use crate::literal::Literal;

/// The type of an element, and the bytes of it that are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// As served: packed.
    pub dtype: DataType,
    /// Bytes of one element in the file, padding included.
    pub stored: u64,
    /// Offset and length of the bytes that are kept, ascending.
    pub runs: Vec<(u64, u64)>,
}

/// No NumPy type is larger; keeps all sums of sizes far from overflow.
const MAX_ITEM_BYTES: u64 = 1 << 31;
const MAX_RUNS: usize = 1 << 16;

impl Element {
    /// Reads a `descr`.
    ///
    /// # Errors
    /// `UnsupportedFormat` for Python objects, `InvalidData` for what is no type.
    pub fn from_descr(descr: &Literal) -> Result<Self> {
        match descr {
            Literal::Text(text) => Self::builtin(text),
            Literal::Sequence { is_list: true, items } => Self::record(items),
            _ => Err(Error::invalid_data("the type of the elements is not NumPy's")),
        }
    }

    /// Whether elements have no padding.
    pub fn is_packed(&self) -> bool {
        self.dtype.itemsize() == self.stored
    }

    fn builtin(text: &str) -> Result<Self> {
        let unknown = || Error::invalid_data(format!("the type {text:?} is not NumPy's"));
        if text.trim_start_matches(['|', '<', '>', '=']).starts_with('O') {
            return Err(objects());
        }
        let mut dtype = DataType::from_numpy_str(text).ok_or_else(unknown)?;
        let size = dtype.itemsize();
        if let DataType::Builtin { kind, dt_units, .. } = &mut dtype {
            let sizes: &[u64] = match kind {
                Kind::Bool => &[1],
                Kind::Int | Kind::Uint => &[1, 2, 4, 8],
                Kind::Float => &[2, 4, 8, 12, 16],
                Kind::Complex => &[8, 16, 24, 32],
                Kind::Timedelta | Kind::Datetime => &[8],
                Kind::Bytes | Kind::Unicode | Kind::Void | Kind::Object => &[],
            };
            if !(sizes.is_empty() || sizes.contains(&size)) || size > MAX_ITEM_BYTES {
                return Err(unknown());
            }
            if matches!(kind, Kind::Timedelta | Kind::Datetime) {
                dt_units.get_or_insert_with(|| "[generic]".into());
            } else if dt_units.is_some() {
                return Err(unknown());
            }
        }
        Ok(Element { dtype, stored: size, runs: vec![(0, size)] })
    }

    fn record(items: &[Literal]) -> Result<Self> {
        let mut fields: Vec<Field> = Vec::new();
        let (mut stored, mut runs) = (0, Vec::new());
        for item in items {
            let Literal::Sequence { is_list: false, items } = item else { return Err(bad_field()) };
            let (name, descr, shape) = match items.as_slice() {
                [name, descr] => (name, descr, None),
                [name, descr, shape] => (name, descr, Some(shape.sizes().ok_or_else(bad_field)?)),
                _ => return Err(bad_field()),
            };
            let element = Self::from_descr(descr)?;
            let repeat =
                shape.iter().flatten().try_fold(1u64, |all, n| all.checked_mul(*n)).ok_or_else(bad_field)?;
            let name = field_name(name)?;
            let is_padding = name.is_empty() && element.dtype.kind() == Kind::Void;
            if !is_padding {
                add_runs(&mut runs, stored, &element, repeat)?;
                if fields.iter().any(|field| field.name == name) {
                    return Err(Error::invalid_data(format!("two fields are named {name:?}")));
                }
                fields.push(Field { name, dtype: element.dtype, shape });
            }
            stored +=
                element.stored.checked_mul(repeat).filter(|n| *n <= MAX_ITEM_BYTES).ok_or_else(bad_field)?;
            if stored > MAX_ITEM_BYTES {
                return Err(bad_field());
            }
        }
        Ok(Element { dtype: DataType::record(fields), stored, runs })
    }
}

fn objects() -> Error {
    Error::unsupported_format(
        "the elements are pickled Python objects, which are never loaded; save numbers or text instead",
    )
}

fn bad_field() -> Error {
    Error::invalid_data("a field of the records is not NumPy's")
}

/// A name, or a title with a name.
fn field_name(name: &Literal) -> Result<String> {
    match name {
        Literal::Text(name) => Ok(name.clone()),
        Literal::Sequence { items, .. } => match items.as_slice() {
            [_, Literal::Text(name)] => Ok(name.clone()),
            _ => Err(bad_field()),
        },
        _ => Err(bad_field()),
    }
}

fn add_runs(runs: &mut Vec<(u64, u64)>, at: u64, element: &Element, repeat: u64) -> Result<()> {
    if element.is_packed() {
        let length = element.stored.checked_mul(repeat).ok_or_else(bad_field)?;
        join(runs, at, length);
        return Ok(());
    }
    for i in 0..repeat {
        for (offset, length) in &element.runs {
            join(runs, at + i * element.stored + offset, *length);
        }
        if runs.len() > MAX_RUNS {
            return Err(Error::unsupported_format("the records have too many gaps; save them packed"));
        }
    }
    Ok(())
}

fn join(runs: &mut Vec<(u64, u64)>, at: u64, length: u64) {
    match runs.last_mut() {
        Some((start, before)) if *start + *before == at => *before += length,
        _ => runs.push((at, length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal::parse;

    fn element(text: &str) -> Result<Element> {
        Element::from_descr(&parse(text).unwrap())
    }

    #[test]
    fn padding_is_left_out_of_records() {
        let aligned =
            element("[('a', '|i1'), ('', '|V7'), ('b', '<f8'), ('c', [('x', '<i2'), ('', '|V2')], (2,))]")
                .unwrap();
        assert_eq!((aligned.stored, aligned.dtype.itemsize()), (24, 13));
        assert_eq!(aligned.runs, [(0, 1), (8, 10), (20, 2)]);
        let packed = element("[('a', '|i1'), ('b', '>f8', (2, 3))]").unwrap();
        assert!(packed.is_packed());
        assert_eq!(packed.runs, [(0, 49)]);
    }

    #[test]
    fn what_is_no_plain_type_is_refused() {
        assert_eq!(element("'|O'").unwrap_err().kind, tiled_plugin_api::author::ErrorKind::UnsupportedFormat);
        for bad in [
            "'<f7'",
            "'<q'",
            "3",
            "[('a',)]",
            "[('a', '<i4'), ('a', '<i4')]",
            "[('a', '|V8', (4294967296, 4294967296))]",
            "'|S99999999999'",
        ] {
            assert!(element(bad).is_err(), "{bad}");
        }
        assert_eq!(element("'<M8'").unwrap().dtype.numpy_str().unwrap(), "<M8[generic]");
    }
}
