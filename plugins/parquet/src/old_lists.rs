//! Lists of lists as old writers (Avro's, parquet-mr 1.6) kept them: a repeated group that is itself annotated as a
//! list. The parquet crate refuses these; with one more group around the inner list, which changes no level, it reads
//! them.

use std::sync::Arc;

use parquet::{
    basic::{ConvertedType, Repetition},
    errors::Result,
    schema::types::{SchemaDescriptor, Type, TypePtr},
};

/// The schema with repeated lists wrapped; `None` where there are none.
///
/// # Errors
/// None in practice: the types were valid before.
pub fn wrapped(schema: &SchemaDescriptor) -> Result<Option<Arc<SchemaDescriptor>>> {
    let root = schema.root_schema_ptr();
    if !has_repeated_list(&root) {
        return Ok(None);
    }
    Ok(Some(Arc::new(SchemaDescriptor::new(rewrite(&root)?))))
}

fn is_repeated_list(node: &Type) -> bool {
    let info = node.get_basic_info();
    let nested = matches!(info.converted_type(), ConvertedType::LIST | ConvertedType::MAP);
    node.is_group() && info.has_repetition() && info.repetition() == Repetition::REPEATED && nested
}

fn has_repeated_list(node: &Type) -> bool {
    is_repeated_list(node)
        || (node.is_group() && node.get_fields().iter().any(|field| has_repeated_list(field)))
}

fn rewrite(node: &TypePtr) -> Result<TypePtr> {
    if !node.is_group() {
        return Ok(node.clone());
    }
    let fields = node.get_fields().iter().map(rewrite).collect::<Result<Vec<_>>>()?;
    let info = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let wrap = is_repeated_list(node);
    let mut group = Type::group_type_builder(node.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(fields)
        .with_id(id);
    if info.has_repetition() {
        group = group.with_repetition(if wrap { Repetition::REQUIRED } else { info.repetition() });
    }
    let group = Arc::new(group.build()?);
    if !wrap {
        return Ok(group);
    }
    let around =
        Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![group]);
    Ok(Arc::new(around.build()?))
}
