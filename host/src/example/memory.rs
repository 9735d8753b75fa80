//! Arrays and containers of arrays in memory, as the source of example files.

use serde_json::{Value, json};
use tiled_plugin_api::{
    author::{Adapter, Context, Error, OwnedBuffer, Result, Slab, SlabStream, Slabs},
    model::{
        ArrayStructure, Child, Children, ChildrenRequest, DataType, Description, Kind, SliceDim,
        StructureFamily,
    },
};

/// A tree of arrays: the path of each, and what it holds. An array alone has the empty path.
#[derive(Default)]
pub struct Memory(Vec<(String, Item)>);

struct Item {
    metadata: Value,
    /// None of containers.
    array: Option<(ArrayStructure, Vec<u8>)>,
}

/// Numbers as an array keeps them.
pub trait Number: Copy {
    /// Of the data type.
    const KIND: Kind;
    /// Native bytes.
    fn bytes(self) -> Vec<u8>;
}

macro_rules! numbers {
    ($($type:ty => $kind:ident),*) => {
        $(impl Number for $type {
            const KIND: Kind = Kind::$kind;
            fn bytes(self) -> Vec<u8> {
                self.to_ne_bytes().to_vec()
            }
        })*
    };
}
numbers!(u8 => Uint, u16 => Uint, i32 => Int, f32 => Float, f64 => Float);

impl Memory {
    /// One array; `value` is asked for every position, in C order.
    pub fn array<T: Number>(shape: &[u64], value: impl FnMut(u64) -> T) -> Self {
        Memory::default().with("", json!({}), shape, value)
    }

    /// The same tree with another container.
    #[must_use]
    pub fn with_group(mut self, path: &str, metadata: Value) -> Self {
        self.0.push((path.to_owned(), Item { metadata, array: None }));
        self
    }

    /// The same tree with another array.
    #[must_use]
    pub fn with<T: Number>(
        mut self,
        path: &str,
        metadata: Value,
        shape: &[u64],
        value: impl FnMut(u64) -> T,
    ) -> Self {
        let bytes: Vec<u8> = (0..shape.iter().product()).map(value).flat_map(Number::bytes).collect();
        let data_type = DataType::native(T::KIND, size_of::<T>() as u64);
        let structure = ArrayStructure::single_chunk(data_type, shape.to_vec());
        self.0.push((path.to_owned(), Item { metadata, array: Some((structure, bytes)) }));
        self
    }

    /// What the root is.
    ///
    /// # Errors
    /// There is none.
    pub fn root(&self) -> Result<Description> {
        self.describe("")
    }

    /// The array at the root, for serializers.
    pub fn into_slabs(self) -> Slabs {
        Slabs::new(Once(self.0.into_iter().find_map(|(_, item)| item.array)))
    }

    fn find(&self, path: &str) -> Result<&Item> {
        let found = self.0.iter().find(|(known, _)| known == path);
        found.map(|(_, item)| item).ok_or_else(|| Error::not_found(path))
    }

    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|(own, _)| !own.is_empty()).filter_map(move |(own, _)| {
            let (parent, key) = own.rsplit_once('/').unwrap_or(("", own));
            (parent == path).then_some(key)
        })
    }
}

impl Adapter for Memory {
    fn describe(&self, path: &str) -> Result<Description> {
        let item = self.find(path)?;
        let description = match &item.array {
            Some((structure, _)) => Description::new(StructureFamily::Array, structure)?,
            None => Description::container(self.below(path).count() as u64),
        };
        Ok(description.with_metadata(item.metadata.clone()))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let keys: Vec<&str> = self.below(path).collect();
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let items = keys.iter().skip(at(request.offset)).take(at(request.limit)).map(|key| {
            let full = if path.is_empty() { (*key).to_owned() } else { format!("{path}/{key}") };
            Ok(Child { key: (*key).to_owned(), description: Some(self.describe(&full)?), broken: None })
        });
        Ok(Children { count: keys.len() as u64, items: items.collect::<Result<_>>()? })
    }

    fn read_into(&self, _cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (structure, bytes) =
            self.find(path)?.array.as_ref().ok_or_else(|| Error::unsupported("read_into"))?;
        let itemsize = usize::try_from(structure.data_type.itemsize()).map_err(Error::internal)?;
        let total: u64 = slice.iter().map(|axis| axis.count).product();
        for (position, element) in (0..total).zip(out.chunks_exact_mut(itemsize)) {
            let (mut rest, mut at, mut stride) = (position, 0, 1);
            for (axis, length) in slice.iter().zip(&structure.shape).rev() {
                at += axis.at(rest % axis.count) * stride;
                rest /= axis.count;
                stride *= length;
            }
            let from = usize::try_from(at).map_err(Error::internal)? * itemsize;
            let value = bytes
                .get(from..from + itemsize)
                .ok_or_else(|| Error::internal("a slice beyond the array"))?;
            element.copy_from_slice(value);
        }
        Ok(())
    }
}

struct Once(Option<(ArrayStructure, Vec<u8>)>);

impl SlabStream for Once {
    fn next(&mut self) -> Result<Option<Slab>> {
        Ok(self.0.take().map(|(structure, bytes)| Slab {
            rows: structure.shape.first().copied().unwrap_or(1),
            bytes: OwnedBuffer::from_vec(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_read_in_c_order_whatever_its_steps() {
        let memory = Memory::array(&[3, 4], |i| u8::try_from(i).unwrap());
        let slice = [SliceDim { start: 2, step: -2, count: 2 }, SliceDim { start: 1, step: 2, count: 2 }];
        let mut out = [0; 4];
        memory.read_into(&Context::unbounded(), "", &slice, &mut out).unwrap();
        assert_eq!(out, [9, 11, 1, 3]);
    }

    #[test]
    fn children_are_those_right_below() {
        let tree = values_tree();
        assert_eq!(tree.below("").collect::<Vec<_>>(), ["a"]);
        assert_eq!(tree.below("a").collect::<Vec<_>>(), ["b"]);
    }

    fn values_tree() -> Memory {
        Memory::default().with_group("", json!({})).with_group("a", json!({})).with(
            "a/b",
            json!({}),
            &[1],
            |_| 1_u8,
        )
    }
}
