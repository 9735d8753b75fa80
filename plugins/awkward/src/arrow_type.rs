//! What Arrow's types do not say of awkward arrays, as Awkward says it: extension types named `awkward`, and what made
//! the records of a table. Programs that do not know them see Arrow's own types.
//!
//! Source: `awkward/_connect/pyarrow/extn_types.py` and `awkward/operations/ak_to_arrow_table.py` of Awkward 2.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, BooleanArray, StructArray},
    compute::nullif,
    datatypes::{DataType as ArrowType, Field, Metadata, Schema},
};
use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{Error, Result},
    model::Kind,
};

use crate::form::{Form, Layer};

/// A field for arrays of this form.
pub fn field(name: &str, form: &Form, data_type: &ArrowType) -> Field {
    masked_field(name, form, data_type, None)
}

/// A field of a record.
pub fn member(name: &str, form: &Form, data_type: &ArrowType) -> Field {
    let field = field(name, form, data_type);
    let mut metadata = field.metadata().clone();
    metadata.insert("option_type", if form.is_option() { "True" } else { "False" });
    field.with_metadata(metadata)
}

/// The items of an axis that is no layer of its own. Awkward has no Arrow type for complex numbers.
pub fn inner_item(data_type: &ArrowType, is_complex: bool) -> Field {
    let field = Field::new_list_field(data_type.clone(), false);
    if is_complex { field } else { field.with_metadata(extension(None, &Map::new(), None, data_type)) }
}

/// As [`field`], for items that are missing where `mask` says so, besides what the form says.
fn masked_field(name: &str, form: &Form, data_type: &ArrowType, mask: Option<&Form>) -> Field {
    let field = Field::new(name, data_type.clone(), form.is_option() || mask.is_some());
    let (own_mask, node) = split(form);
    let is_tuple = match &node.layer {
        Layer::Numpy { data_type, .. } if data_type.kind() == Kind::Complex => return field,
        Layer::Record { is_tuple, .. } => Some(*is_tuple),
        _ => None,
    };
    field.with_metadata(extension(own_mask.or(mask), &node.parameters, is_tuple, data_type))
}

/// The layer that says what is missing, and the layer of the items.
fn split(form: &Form) -> (Option<&Form>, &Form) {
    let (mut mask, mut node) = (None, form);
    loop {
        let (is_option, content) = match &node.layer {
            Layer::Indexed { option, content, .. } => (*option, content),
            Layer::ByteMasked { content, .. }
            | Layer::BitMasked { content, .. }
            | Layer::Unmasked { content } => (true, content),
            // The missing items of a union are those of its contents.
            Layer::Union { .. } => return (None, node),
            _ => return (mask, node),
        };
        if is_option {
            mask = Some(node);
        }
        node = content;
    }
}

fn extension(
    mask: Option<&Form>,
    parameters: &Map<String, Value>,
    is_tuple: Option<bool>,
    data_type: &ArrowType,
) -> Metadata {
    // By Arrow's type: lists of nothing are no fixed-size lists here.
    let node_type = match data_type {
        ArrowType::Null => "EmptyArray",
        ArrowType::LargeList(_) | ArrowType::LargeUtf8 | ArrowType::LargeBinary => "ListOffsetArray",
        ArrowType::FixedSizeList(..) => "RegularArray",
        ArrowType::Struct(_) => "RecordArray",
        ArrowType::Union(..) => "UnionArray",
        _ => "NumpyArray",
    };
    let metadata = json!({
        "mask_type": mask.map(class),
        "node_type": node_type,
        "mask_parameters": mask.map(|mask| &mask.parameters),
        "node_parameters": parameters,
        "record_is_tuple": is_tuple,
        "record_is_scalar": false,
        "is_nonnullable_nulltype": data_type == &ArrowType::Null && mask.is_none(),
        "option_type": false,
    });
    Metadata::new()
        .with("ARROW:extension:name", "awkward")
        .with("ARROW:extension:metadata", metadata.to_string())
}

/// Awkward's name of a layer around items or of a record.
fn class(form: &Form) -> &'static str {
    match &form.layer {
        Layer::Indexed { option: true, .. } => "IndexedOptionArray",
        Layer::Indexed { .. } => "IndexedArray",
        // Bits become bytes on the way.
        Layer::ByteMasked { .. } | Layer::BitMasked { .. } => "ByteMaskedArray",
        Layer::Unmasked { .. } => "UnmaskedArray",
        _ => "RecordArray",
    }
}

/// The columns of a table of records: those of the records themselves, missing where the record is. None where the array
/// is not one of records with names, or where a union would have to be missing.
///
/// # Errors
/// `Internal` when Arrow refuses.
pub fn columns(form: &Form, records: &StructArray) -> Result<Option<(Schema, Vec<ArrayRef>)>> {
    let (mask, record) = split(form);
    let Layer::Record { fields, contents, is_tuple: false } = &record.layer else { return Ok(None) };
    let missing = records.nulls().map(|nulls| BooleanArray::new(!nulls.inner(), None));
    let is_union = |column: &ArrayRef| matches!(column.data_type(), ArrowType::Union(..));
    if missing.is_some() && records.columns().iter().any(is_union) {
        return Ok(None);
    }
    let masked = |column: &ArrayRef| match &missing {
        Some(missing) if column.data_type() != &ArrowType::Null => {
            nullif(&**column, missing).map_err(Error::from_arrow)
        }
        _ => Ok(column.clone()),
    };
    let columns = records.columns().iter().map(masked).collect::<Result<Vec<_>>>()?;
    let named = fields.iter().zip(contents).zip(&columns);
    let schema: Vec<_> = named
        .map(|((name, form), column)| Arc::new(masked_field(name, form, column.data_type(), mask)))
        .collect();
    let metadata = Metadata::new().with("ak:parameters", made_of(form, fields, contents).to_string());
    Ok(Some((Schema::new_with_metadata(schema, metadata), columns)))
}

/// What a table does not show of its records.
fn made_of(form: &Form, fields: &[String], contents: &[Form]) -> Value {
    let options = fields.iter().zip(contents).filter(|(_, content)| split(content).0.is_some());
    let options: Vec<&String> = options.map(|(name, _)| name).collect();
    let mut parts = vec![json!({"optiontype_fields": options}), json!({"record_is_scalar": false})];
    let mut layer = Some(form);
    while let Some(form) = layer {
        parts.push(json!({class(form): form.parameters}));
        layer = match &form.layer {
            Layer::Indexed { content, .. }
            | Layer::ByteMasked { content, .. }
            | Layer::BitMasked { content, .. }
            | Layer::Unmasked { content } => Some(content),
            _ => None,
        };
    }
    parts.into()
}
