//! One file of images, or numbered files of one image each stacked on a new first axis.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use tiled_plugin_api::prelude::{
    Adapter, ArrayStructure, Child, Children, ChildrenRequest, Context, Description, Error, ErrorKind, Host,
    OpenRequest, Plan, Result, SliceDim, Source, StructureFamily,
};

use crate::{
    gz,
    image::{File, Image},
};

/// What a file holds.
#[derive(Debug)]
pub struct Contents {
    /// Of the file, where it is a container.
    pub metadata: Value,
    /// One without a name is the file itself.
    pub images: Vec<(String, Image)>,
    /// What is odd, for the log.
    pub warning: Option<String>,
}

impl Contents {
    /// A file that is one array.
    pub fn array(image: Image) -> Self {
        Contents { metadata: Value::Null, images: vec![(String::new(), image)], warning: None }
    }
}

/// Reads the headers of a file.
pub type Parse = fn(&Context, &Source) -> Result<Contents>;

struct Member {
    asset: Source,
    opened: OnceLock<(Source, Contents)>,
}

/// Opened files.
pub struct FramesAdapter {
    members: Vec<Member>,
    parse: Parse,
    host: Host,
    /// Of numbered files.
    stack: Option<ArrayStructure>,
}

impl FramesAdapter {
    /// Reads the headers of the first file.
    ///
    /// # Errors
    /// `InvalidData`, `UnsupportedFormat`.
    pub fn open(cx: &Context, request: &OpenRequest, parse: Parse) -> Result<Self> {
        let is_stack = request.mimetype.starts_with("multipart/related") || request.assets.len() > 1;
        let wanted = if is_stack { usize::MAX } else { 1 };
        let member = |asset: &Source| Member { asset: asset.clone(), opened: OnceLock::new() };
        let members = request.assets.iter().take(wanted).map(|asset| member(&asset.source)).collect();
        let mut adapter = FramesAdapter { members, parse, host: request.host.clone(), stack: None };
        let (_, first) = adapter.member(cx, 0)?;
        if let Some(warning) = &first.warning {
            let name = request.source().name();
            request.host.log(tiled_plugin_api::author::Level::Warn, &format!("{name}: {warning}"));
        }
        if is_stack {
            let image = the_array(first)?;
            let (mut structure, count) = (image.structure(), adapter.members.len());
            structure.chunks = image.shape.iter().map(|n| vec![*n]).collect();
            structure.shape.insert(0, count as u64);
            structure.chunks.insert(0, vec![1; count]);
            adapter.stack = Some(registered(request, &structure).unwrap_or(structure));
        }
        Ok(adapter)
    }

    fn member(&self, cx: &Context, at: u64) -> Result<(&Source, &Contents)> {
        let member = usize::try_from(at).ok().and_then(|at| self.members.get(at));
        let member = member.ok_or_else(|| Error::not_found("there is no such file"))?;
        if let Some((source, contents)) = member.opened.get() {
            return Ok((source, contents));
        }
        let name = member.asset.name();
        let open = || {
            let source = gz::opened(cx, &member.asset)?;
            let contents = (self.parse)(cx, &source)?;
            let len = source.len()?;
            contents.images.iter().try_for_each(|(_, image)| image.check(len))?;
            Ok((source, contents))
        };
        let opened = open().map_err(|e: Error| e.within(&name))?;
        let (source, contents) = member.opened.get_or_init(|| opened);
        Ok((source, contents))
    }

    fn image(&self, path: &str) -> Result<(&Source, &Image)> {
        let (source, contents) = self.member(&Context::unbounded(), 0)?;
        let found = contents.images.iter().find(|(key, _)| key == path);
        let (_, image) = found.ok_or_else(|| Error::not_found(format!("No such entry: {path}")))?;
        Ok((source, image))
    }

    fn read_image(
        &self,
        cx: &Context,
        source: &Source,
        image: &Image,
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        let file = File { source, host: &self.host };
        image.read(cx, &file, slice, out).map_err(|e| match e.kind {
            ErrorKind::InvalidData | ErrorKind::TooLarge => e.within(source.name()),
            _ => e,
        })
    }

    /// The only array of a later file, which must be like that of the first.
    fn alike(&self, cx: &Context, at: u64) -> Result<(&Source, &Image)> {
        let (source, contents) = self.member(cx, at)?;
        let (_, first) = self.member(cx, 0)?;
        let (image, first) = (the_array(contents).map_err(|e| e.within(source.name()))?, the_array(first)?);
        if image.shape == first.shape && image.data_type == first.data_type {
            return Ok((source, image));
        }
        Err(Error::invalid_data(format!(
            "{}: shape {:?} or type differ from those of the first file, {:?}; register it by itself",
            source.name(),
            image.shape,
            first.shape
        )))
    }
}

fn the_array(contents: &Contents) -> Result<&Image> {
    match contents.images.as_slice() {
        [(key, image)] if key.is_empty() => Ok(image),
        _ => Err(Error::invalid_data("its images differ, so it cannot be part of a sequence of files")),
    }
}

/// The structure that the catalog has, where it differs in chunks and names of axes alone.
fn registered(request: &OpenRequest, stored: &ArrayStructure) -> Option<ArrayStructure> {
    let structure: ArrayStructure = serde_json::from_value(request.structure.clone()?).ok()?;
    let is_same = structure.shape == stored.shape && structure.data_type == stored.data_type;
    is_same.then_some(structure)
}

fn described(image: &Image) -> Result<Description> {
    let description = Description::new(StructureFamily::Array, &image.structure())?;
    Ok(description.with_metadata(image.metadata.clone()))
}

impl Adapter for FramesAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        let (_, contents) = self.member(&Context::unbounded(), 0)?;
        if let Some(structure) = self.stack.as_ref().filter(|_| path.is_empty()) {
            // Headers differ from file to file: this one must not pass for that of all.
            let metadata = json!({ "first_file": the_array(contents)?.metadata });
            return Ok(Description::new(StructureFamily::Array, structure)?.with_metadata(metadata));
        }
        if path.is_empty() && the_array(contents).is_err() {
            let metadata =
                if contents.metadata.is_object() { contents.metadata.clone() } else { Map::new().into() };
            return Ok(Description::container(contents.images.len() as u64).with_metadata(metadata));
        }
        described(self.image(path)?.1)
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let (_, contents) = self.member(&Context::unbounded(), 0)?;
        if !path.is_empty() || self.stack.is_some() || the_array(contents).is_ok() {
            return Err(Error::new(ErrorKind::InvalidArgument, "An array has no children"));
        }
        let skip = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let child = |(key, image): &(String, Image)| {
            let description = if request.keys_only { None } else { Some(described(image)?) };
            Ok(Child { key: key.clone(), description, broken: None })
        };
        let items = contents.images.iter().skip(skip).take(take).map(child).collect::<Result<_>>()?;
        Ok(Children { count: contents.images.len() as u64, items })
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        let (_, image) = self.image(path)?;
        let frames = slice.first().filter(|_| slice.len() > 2).map_or(0, |dim| dim.count);
        Ok(Some(Plan { peak_bytes: image.peak_bytes(), cuts: (1..frames).collect() }))
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (source, image) = self.image(path)?;
        let Some((files, inner)) = slice.split_first().filter(|_| self.stack.is_some()) else {
            return self.read_image(cx, source, image, slice, out);
        };
        let bytes = out.len() / usize::try_from(files.count).unwrap_or(usize::MAX).max(1);
        for (i, part) in out.chunks_exact_mut(bytes.max(1)).enumerate() {
            cx.check()?;
            let (source, image) = self.alike(cx, files.at(i as u64))?;
            self.read_image(cx, source, image, inner, part)?;
        }
        Ok(())
    }
}
