//! Recognises and opens the files.

use tiled_plugin_api::prelude::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::{adapter::FramesAdapter, cbf, edf, mrc, spe};

/// Opens files in the data format of the ESRF.
#[derive(Debug, Clone, Copy, Default)]
pub struct EdfReader;

impl Reader for EdfReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        let start = head.trim_ascii_start();
        let header = start.get(..512).unwrap_or(start);
        let has = |word: &[u8]| header.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
        if start.starts_with(b"{") && (has(b"EDF_") || has(b"ByteOrder") || has(b"HeaderID")) {
            90
        } else {
            0
        }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(FramesAdapter::open(cx, &request, edf::parse)?))
    }
}

/// Opens crystallographic binary files.
#[derive(Debug, Clone, Copy, Default)]
pub struct CbfReader;

impl Reader for CbfReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(b"###CBF: ") { 95 } else { 0 }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(FramesAdapter::open(cx, &request, cbf::parse)?))
    }
}

/// Opens files of WinView, WinSpec and LightField.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpeReader;

impl Reader for SpeReader {
    fn sniff(&self, source: &Source, head: &[u8]) -> u32 {
        if spe::is_header(head, source.len().unwrap_or(0)) { 60 } else { 0 }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(FramesAdapter::open(cx, &request, spe::parse)?))
    }
}

/// Opens MRC files and CCP4 maps.
#[derive(Debug, Clone, Copy, Default)]
pub struct MrcReader;

impl Reader for MrcReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.len() >= 1024 && head.get(208..212) == Some(b"MAP ") { 90 } else { 0 }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(FramesAdapter::open(cx, &request, mrc::parse)?))
    }
}
