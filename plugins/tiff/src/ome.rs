//! OME-TIFF: axes and the places of planes in XML.
//!
//! Gives the first image that has data, as tifffile does. Planes in other files are missing here: only reading them fails.

use roxmltree::{Document, Node};
use tiled_plugin_api::prelude::Result;

use crate::series::{Found, Frame, Pages, squeeze};

/// More planes than this are not believed.
const MAX_PLANES: u64 = 1 << 24;

/// The series of the first image; `None` where the XML does not fit the file.
///
/// # Errors
/// As reading pages.
pub fn series(pages: &Pages<'_>, text: &str) -> Result<Option<Found>> {
    let Ok(document) = Document::parse(text) else { return Ok(None) };
    let root = document.root_element();
    let named = |node: &Node<'_, '_>, name: &str| node.is_element() && node.tag_name().name().ends_with(name);
    let mut uuid = root.attribute("UUID").map(str::to_owned);
    for image in root.children() {
        if named(&image, "BinaryOnly") {
            break;
        }
        if !named(&image, "Image") {
            continue;
        }
        let reference =
            image.children().find(|node| named(node, "AnnotationRef")).and_then(|n| n.attribute("ID"));
        for pixels in image.children().filter(|node| named(node, "Pixels")) {
            let Some(plan) = Plan::read(pages, &pixels, &mut uuid) else { return Ok(None) };
            if let Some(mut found) = plan.found(pages)? {
                if let Some(reference) = reference {
                    modulo(&root, reference, &mut found);
                }
                let (shape, axes) = (found.shape, found.axes);
                let frames = found.frames;
                return Ok(Some(Found { shape: squeeze(&shape, &axes), frames, key: found.key }));
            }
        }
    }
    Ok(None)
}

/// What a Pixels element says.
struct Plan {
    axes: String,
    shape: Vec<u64>,
    samples: u64,
    frames: Vec<Frame>,
}

struct Unsqueezed {
    axes: String,
    shape: Vec<u64>,
    frames: Vec<Frame>,
    key: std::sync::Arc<crate::page::Page>,
}

impl Plan {
    fn read(pages: &Pages<'_>, pixels: &Node<'_, '_>, uuid: &mut Option<String>) -> Option<Self> {
        let axes: String = pixels.attribute("DimensionOrder")?.chars().rev().collect();
        let size = |axis: char| pixels.attribute(format!("Size{axis}").as_str())?.trim().parse::<u64>().ok();
        let shape = axes.chars().map(size).collect::<Option<Vec<_>>>()?;
        let mut plan = Plan { axes, shape, samples: 1, frames: vec![] };
        let mut is_first = true;
        for data in pixels.children().filter(Node::is_element) {
            let name = data.tag_name().name();
            if name.ends_with("Channel") {
                let samples = data.attribute("SamplesPerPixel").and_then(|n| n.parse().ok()).unwrap_or(1);
                if is_first && samples > 1 {
                    plan.samples = samples;
                    for (axis, n) in plan.axes.chars().zip(&mut plan.shape) {
                        *n = if axis == 'C' { *n / samples } else { *n };
                    }
                } else if samples != plan.samples {
                    return None;
                }
                is_first = false;
            } else if name.ends_with("TiffData") {
                plan.add(pages, &data, uuid)?;
            }
        }
        Some(plan)
    }

    /// The planes of a TiffData element. `None` where there are too many.
    fn add(&mut self, pages: &Pages<'_>, data: &Node<'_, '_>, uuid: &mut Option<String>) -> Option<()> {
        let number = |name: &str| data.attribute(name).and_then(|n| n.trim().parse::<u64>().ok());
        let from = number("IFD").unwrap_or(0);
        let declared = number("PlaneCount").or(number("NumPlanes"));
        let count = declared.unwrap_or(u64::from(data.has_attribute("IFD")));
        let outer = self.axes.len().checked_sub(2)?;
        let mut place = 0u64;
        for (axis, n) in self.axes.chars().zip(&self.shape).take(outer) {
            let at = number(&format!("First{axis}")).unwrap_or(0);
            if at >= *n {
                // ImageJ writes such when it crops.
                return Some(());
            }
            place = place.checked_mul(*n)?.checked_add(at)?;
        }
        let chain = pages.offsets.len() as u64;
        let count = if count == 0 { chain } else { count };
        if place.checked_add(count)? > MAX_PLANES {
            return None;
        }
        let end = usize::try_from(place + count).ok()?;
        if self.frames.len() < end {
            self.frames.resize(end, Frame::Missing);
        }
        if !is_here(pages, data, uuid) {
            return Some(());
        }
        let places = self.frames.iter_mut().skip(usize::try_from(place).ok()?);
        let there = pages.frames(usize::try_from(from).ok()?, count.min(chain.saturating_sub(from)));
        for (place, frame) in places.zip(there) {
            *place = frame;
        }
        Some(())
    }

    fn found(self, pages: &Pages<'_>) -> Result<Option<Unsqueezed>> {
        let Plan { mut axes, mut shape, samples, mut frames } = self;
        let here = frames.iter().find_map(|frame| match frame {
            Frame::Directory(at) => Some(*at),
            _ => None,
        });
        let Some(at) = here else { return Ok(None) };
        let index = pages.offsets.iter().position(|offset| *offset == at).unwrap_or(0);
        let key = pages.page(index)?;
        let inner = shape.len().saturating_sub(2);
        if samples > 1 && key.planar {
            shape.insert(inner, samples);
            axes.insert(inner, 'S');
        } else if samples > 1 {
            shape.push(samples);
            axes.push('S');
        }
        let Some(size) = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n)) else { return Ok(None) };
        let count = (size / key.size().max(1)).max(1);
        if count > MAX_PLANES {
            return Ok(None);
        }
        frames.resize(usize::try_from(count).unwrap_or(0), Frame::Missing);
        let squeezed = squeeze(&shape, &axes);
        if !squeezed.ends_with(&key.shape) {
            return Ok(None);
        }
        Ok(Some(Unsqueezed { axes, shape, frames, key }))
    }
}

/// Whether these planes are in this file, by UUID or by name.
fn is_here(pages: &Pages<'_>, data: &Node<'_, '_>, root: &mut Option<String>) -> bool {
    let Some(node) =
        data.children().find(|node| node.is_element() && node.tag_name().name().ends_with("UUID"))
    else {
        return true;
    };
    let (text, name) = (node.text().unwrap_or_default(), node.attribute("FileName").unwrap_or_default());
    if root.is_none() && name.to_lowercase() == pages.file.source.name().to_lowercase() {
        *root = Some(text.to_owned());
    }
    root.as_deref() == Some(text)
}

/// Axes that stand for two, as for lifetimes and angles.
fn modulo(root: &Node<'_, '_>, reference: &str, found: &mut Unsqueezed) {
    let annotation = root.descendants().find(|node| {
        node.attribute("ID") == Some(reference)
            && node.attribute("Namespace").is_some_and(|name| name.ends_with("modulo"))
    });
    let Some(annotation) = annotation else { return };
    for along in annotation.descendants().filter(Node::is_element) {
        let name = along.tag_name().name();
        let Some(axis) = name.strip_prefix("ModuloAlong").and_then(|rest| rest.chars().next()) else {
            continue;
        };
        let number = |name: &str| along.attribute(name).and_then(|n| n.parse::<f64>().ok());
        let count = match (number("Start"), number("End")) {
            (Some(start), Some(end)) => {
                let step = number("Step").unwrap_or(1.0);
                ((end + step - start) / step).ceil()
            }
            _ => along.children().filter(|node| node.tag_name().name().ends_with("Label")).count() as f64,
        };
        let Some(i) = found.axes.find(axis) else { continue };
        let Some(size) = found.shape.get_mut(i) else { continue };
        if !(count >= 1.0 && count <= *size as f64) || *size == count as u64 {
            continue;
        }
        let count = count as u64;
        if *size % count == 0 {
            *size /= count;
            found.shape.insert(i + 1, count);
            // Any letter that is neither X nor Y will do: only those are kept at length 1.
            found.axes.insert(i + 1, 'Q');
        }
    }
}
