//! The query parameters of the URL table, in the groups in which routes take them.

use super::endpoint::{Kind, Param};

/// Which part of an array.
pub const SLICE: &[Param] = &[
    Param::new("slice", Kind::Text, "Which part, as NumPy writes it without brackets: `0:10,::2`"),
    Param::new(
        "expected_shape",
        Kind::Text,
        "The shape the caller reckons with, `10,20` or `scalar`; another is refused",
    ),
];

/// Which block of an array.
pub const BLOCK: &[Param] =
    &[Param::new("block", Kind::Text, "The block's number along every axis: `0,1`").required()];

/// As what values are sent.
pub const FORMAT: &[Param] = &[
    Param::new(
        "format",
        Kind::Text,
        "Media type or file extension; the `Accept` header counts where it is absent",
    ),
    Param::new("filename", Kind::Text, "Name under which a browser saves the answer"),
];

/// Which columns of a table.
pub const COLUMNS: &[Param] =
    &[Param::new("column", Kind::Texts, "A column to include; all when there is none"), FIELD[0]];

/// Which children or columns.
pub const FIELD: &[Param] =
    &[Param::new("field", Kind::Texts, "A child or column to include; all when there is none")];

/// Which partition of a table.
pub const PARTITION: &[Param] =
    &[Param::new("partition", Kind::Number, "The partition's number, from 0 on").required()];

/// Whether values are kept.
pub const PERSIST: &[Param] =
    &[Param::new("persist", Kind::Flag, "False: checked, but not kept; true when it is left out")];

/// Which region of an array.
pub const REGION: &[Param] = &[
    Param::new("offset", Kind::Text, "First element along every axis, 0 where it is left out: `4,0`")
        .required(),
    Param::new("shape", Kind::Text, "Lengths of the region: `2,3`").required(),
    Param::new("extend", Kind::Flag, "Let the array grow to hold the region"),
];

/// Whether the former metadata are kept.
pub const DROP_REVISION: &[Param] =
    &[Param::new("drop_revision", Kind::Flag, "Do not keep the former metadata as a revision")];

/// How much is deleted.
pub const RECURSIVE: &[Param] = &[Param::new("recursive", Kind::Flag, "Delete what is below, too")];

/// Whether data are spared that nobody else has.
pub const EXTERNAL_ONLY: &[Param] = &[Param::new(
    "external_only",
    Kind::Flag,
    "Refuse where data would be removed that only this server keeps; true when it is left out",
)];

/// Which revision.
pub const NUMBER: &[Param] = &[Param::new("number", Kind::Number, "The revision's number").required()];

/// What was added to a file.
pub const PATCHED: &[Param] = &[
    Param::new("patch_shape", Kind::Text, "Lengths of the region that was written; with `patch_offset`"),
    Param::new("patch_offset", Kind::Text, "First element of the region that was written"),
];

/// Which buffers of an awkward array.
pub const FORM_KEYS: &[Param] =
    &[Param::new("form_key", Kind::Texts, "Only buffers whose names start so; all when there is none")];

/// How node documents look.
pub const SHAPE: &[Param] = &[
    Param::new(
        "fields",
        Kind::Texts,
        "A part to include: metadata, structure_family, structure, count, sorting, specs, data_sources, access_tags, or \
         nothing for keys alone",
    ),
    Param::new("select_metadata", Kind::Text, "A JMESPath expression that is applied to the metadata"),
    Param::new("omit_links", Kind::Flag, "Leave links out"),
    Param::new("include_data_sources", Kind::Flag, "Tell which files the node is made of"),
    Param::new("max_depth", Kind::Number, "Levels to descend"),
];

/// Of one node alone.
pub const ROOT_PATH: &[Param] = &[Param::new("root_path", Kind::Flag, "Tell the prefix that a proxy strips")];

/// Which page of a listing.
pub const PAGE: &[Param] = &[
    Param::new("page[offset]", Kind::Number, "Entries to skip"),
    Param::new(
        "page[cursor]",
        Kind::Number,
        "Where the last page ended, from its `next` link; instead of an offset",
    ),
    Param::new("page[limit]", Kind::Number, "Entries to give, up to 300"),
];

/// In which order.
pub const SORT: &[Param] =
    &[Param::new("sort", Kind::Text, "Metadata keys by commas, `-` before one that descends: `-color`")];

/// Which values to collect.
pub const DISTINCT: &[Param] = &[
    Param::new("metadata", Kind::Texts, "A metadata key whose values are collected: `sample.color`"),
    Param::new("structure_families", Kind::Flag, "Collect structure families"),
    Param::new("specs", Kind::Flag, "Collect specs"),
    Param::new("counts", Kind::Flag, "Count how often each value occurs"),
];

/// Which nodes.
pub const FILTERS: &[Param] = &[
    Param::new("filter[eq][condition][key]", Kind::Texts, "Metadata key to compare"),
    Param::new("filter[eq][condition][value]", Kind::Texts, "JSON value it must equal: `\"red\"`"),
    Param::new("filter[noteq][condition][key]", Kind::Texts, "Metadata key to compare"),
    Param::new("filter[noteq][condition][value]", Kind::Texts, "JSON value it must not equal"),
    Param::new("filter[fulltext][condition][text]", Kind::Texts, "Words of the metadata"),
    Param::new("filter[lookup][condition][key]", Kind::Texts, "Key of the node"),
    Param::new("filter[structure_family][condition][value]", Kind::Texts, "A structure family: `array`"),
];

/// Which file of a node.
pub const ASSET: &[Param] =
    &[Param::new("id", Kind::Number, "The asset's id, from the node's data sources").required()];

/// Which file of a directory.
pub const RELATIVE_PATH: &[Param] =
    &[Param::new("relative_path", Kind::Text, "Of directories: the file, from the asset's manifest")];
