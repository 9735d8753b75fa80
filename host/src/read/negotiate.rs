//! Which media type an answer has: `?format=` first, then `Accept`, then the family's own.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::{Spec, StructureFamily},
};

use crate::plugin::{LoadedSerializer, Plugins};

/// What the caller asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `?format=`: media types or file extensions, by commas.
    pub format: Option<String>,
    /// The header.
    pub accept: Option<String>,
    /// Further words of the query, which serializers may know: `scale=log` for a picture.
    pub options: Vec<(String, String)>,
}

impl Wanted {
    /// The media type with the options as parameters of it, as serializers see it.
    pub(super) fn with_options(&self, media_type: &str) -> String {
        let mut all = media_type.to_owned();
        for (name, value) in &self.options {
            all.push(';');
            all.push_str(name);
            all.push('=');
            all.push_str(value);
        }
        all
    }
}

/// How an answer is encoded.
pub enum Format {
    /// The values as they are: arrays in C order.
    Raw(String),
    /// By a plugin.
    Encoded(String, Arc<LoadedSerializer>),
}

impl Format {
    /// As requested, with parameters.
    pub fn media_type(&self) -> &str {
        match self {
            Format::Raw(media_type) | Format::Encoded(media_type, _) => media_type,
        }
    }
}

/// The values of an array as they are.
const RAW: &str = "application/octet-stream";

/// What a family is sent as when nothing is asked for.
pub const fn default_media_type(family: StructureFamily) -> &'static str {
    match family {
        StructureFamily::Array | StructureFamily::Bytes => RAW,
        StructureFamily::Awkward => "application/zip",
        StructureFamily::Ragged => "application/json",
        StructureFamily::Sparse | StructureFamily::Table => "application/vnd.apache.arrow.file",
        StructureFamily::Container => "application/x-hdf5",
    }
}

/// The first wish that some spec of the node, in order, or else its family can be encoded as.
///
/// # Errors
/// `NotAcceptable` naming what is supported, in Tiled's words.
pub fn choose(wanted: &Wanted, family: StructureFamily, specs: &[Spec], plugins: &Plugins) -> Result<Format> {
    let wishes = wishes(wanted, family, plugins);
    for wish in &wishes {
        let wish = match wish.as_str() {
            "*/*" => default_media_type(family),
            "image/*" if family == StructureFamily::Array => "image/png",
            other => other,
        };
        let essence = wish.split(';').next().unwrap_or_default().trim();
        for spec in specs {
            if let Some(serializer) = plugins.serializer_for(&spec.name, essence) {
                return Ok(Format::Encoded(wish.to_owned(), serializer));
            }
        }
        if family == StructureFamily::Array && essence == RAW {
            return Ok(Format::Raw(wish.to_owned()));
        }
        if let Some(serializer) = plugins.serializer_for(family.name(), essence) {
            return Ok(Format::Encoded(wish.to_owned(), serializer));
        }
    }
    let supported = supported(family, specs, plugins);
    let message = format!(
        "None of the media types requested by the client are supported. Supported: {}. Requested: {}.",
        supported.join(", "),
        wishes.join(", ")
    );
    Err(Error::new(ErrorKind::NotAcceptable, message))
}

fn wishes(wanted: &Wanted, family: StructureFamily, plugins: &Plugins) -> Vec<String> {
    match (&wanted.format, &wanted.accept) {
        (Some(format), _) => format.split(',').map(|alias| resolve(alias, plugins)).collect(),
        (None, Some(accept)) => accept.split(',').map(|wish| wish.trim().to_owned()).collect(),
        (None, None) => vec![default_media_type(family).to_owned()],
    }
}

/// A file extension as its media type; what is none stays as it is.
fn resolve(alias: &str, plugins: &Plugins) -> String {
    if alias.contains('/') {
        return alias.to_owned();
    }
    if let Some(media_type) = plugins.media_type_of_alias(alias) {
        return media_type.to_owned();
    }
    mime_guess::from_ext(alias).first_raw().unwrap_or(alias).to_owned()
}

fn supported(family: StructureFamily, specs: &[Spec], plugins: &Plugins) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for key in specs.iter().map(|spec| spec.name.as_str()).chain([family.name()]) {
        all.extend(plugins.formats().get(key).into_iter().flatten().cloned());
    }
    if family == StructureFamily::Array {
        all.push(RAW.into());
    }
    all.sort();
    all.dedup();
    all
}
