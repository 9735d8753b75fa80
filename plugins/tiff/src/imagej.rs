//! ImageJ hyperstacks: axes in the description, and maybe one directory for all planes.

use std::collections::HashMap;

use tiled_plugin_api::prelude::Result;

use crate::series::{Found, Frame, Pages, squeeze};

/// The series of an ImageJ file; `None` where the description does not fit the file.
///
/// # Errors
/// `InvalidData` when the planes reach beyond the end of the file.
pub fn series(pages: &Pages<'_>) -> Result<Option<Found>> {
    let key = pages.first.clone();
    let told = told(key.imagej_description().unwrap_or_default());
    let number =
        |name: &str| told.get(name).map_or(Some(1), |text| text.parse::<u64>().ok().filter(|n| *n > 0));
    let (Some(frames), Some(slices), Some(mut channels)) =
        (number("frames"), number("slices"), number("channels"))
    else {
        return Ok(None);
    };
    let Some(images) = number("images") else { return Ok(None) };
    let (Some(planes), Some(all)) =
        (frames.checked_mul(slices), frames.checked_mul(slices).and_then(|n| n.checked_mul(channels)))
    else {
        return Ok(None);
    };
    let [separate, _, _, _, side_by_side] = key.layout.shaped;
    let mut count = if channels == 1 || (separate > 1 && separate == channels) {
        planes
    } else if images == planes && side_by_side == channels {
        channels = 1;
        planes
    } else {
        all
    };
    let chain = pages.offsets.len() as u64;
    if count == 1 && chain > 1 {
        count = chain;
    }
    let Some(found) = frames_of(pages, count)? else { return Ok(None) };
    let order = told.get("order").map_or("czt", String::as_str).to_lowercase();
    let (axes, sizes) = match order.as_str() {
        "ctz" => ("ZTC", [slices, frames, channels]),
        "zct" => ("TCZ", [frames, channels, slices]),
        "ztc" => ("CTZ", [channels, frames, slices]),
        "tcz" => ("ZCT", [slices, channels, frames]),
        "tzc" => ("CZT", [channels, slices, frames]),
        _ => ("TZC", [frames, slices, channels]),
    };
    let (mut shape, mut axes) = (sizes.to_vec(), axes.to_owned());
    let told: u64 = sizes.iter().product();
    if count / told > 1 {
        shape.insert(0, count / told);
        axes.insert(0, 'I');
    }
    if separate > 1 {
        // Bio-Formats declares separate samples as channels.
        shape.pop();
        shape.extend(&key.shape);
        axes.push_str(key.axes.get(1..).unwrap_or_default());
    } else {
        shape.extend(&key.shape);
        axes.push_str(key.axes);
    }
    Ok(Some(Found { shape: squeeze(&shape, &axes), frames: found, key }))
}

/// All planes behind the first directory where they fit there, else the chain's pages.
fn frames_of(pages: &Pages<'_>, count: u64) -> Result<Option<Vec<Frame>>> {
    let key = &pages.first;
    let bytes = key.nbytes().and_then(|n| n.checked_mul(count));
    let end = bytes.zip(key.offsets.first().copied()).and_then(|(n, start)| start.checked_add(n));
    let chain = pages.offsets.len() as u64;
    if key.is_final() {
        let Some(end) = end.filter(|end| *end <= pages.file.len) else {
            return Err(pages
                .file
                .damaged(format_args!("truncated: ImageJ's description promises {count} planes")));
        };
        let next = pages.offsets.get(1).copied();
        if count <= 1 || next.is_none_or(|next| end <= next) {
            return Ok(Some((0..count).map(Frame::Behind).collect()));
        }
    }
    Ok(Some(pages.frames(0, chain)))
}

/// `key=value` lines.
fn told(text: &str) -> HashMap<&str, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().to_owned()))
        .collect()
}
