//! A file inside of gzip, read as if it were not. Nothing is kept but the state of the stream: reading forwards costs one
//! pass, reading backwards begins anew.

use std::{
    io::{BufReader, Read},
    path::PathBuf,
    sync::{Mutex, TryLockError},
};

use flate2::read::MultiGzDecoder;
use tiled_plugin_api::prelude::{ByteSource, Context, Entry, Error, Result, Source};

const BUFFER_BYTES: usize = 1 << 16;

/// The file itself, or what is inside of it where it is gzip. Reads such a file once, to know how long it is.
///
/// # Errors
/// `InvalidData` where it is damaged; `Cancelled`.
pub fn opened(cx: &Context, source: &Source) -> Result<Source> {
    let mut magic = [0; 2];
    if source.read_at(0, &mut magic)? < 2 || magic != [0x1f, 0x8b] {
        return Ok(source.clone());
    }
    let (mut stream, mut buffer) = (Stream::new(source), vec![0; BUFFER_BYTES]);
    let mut len = 0;
    loop {
        cx.check()?;
        match stream.inflate.read(&mut buffer).map_err(|e| damaged(source, &e))? {
            0 => break,
            n => len += n as u64,
        }
    }
    Ok(Source::new(Inflated { source: source.clone(), len, stream: Mutex::new(None) }))
}

fn damaged(source: &Source, error: &std::io::Error) -> Error {
    Error::invalid_data(format!("{}: the compressed file is damaged: {error}", source.name()))
}

type Inflate = MultiGzDecoder<BufReader<Box<dyn Read + Send>>>;

struct Stream {
    inflate: Inflate,
    position: u64,
}

impl Stream {
    fn new(source: &Source) -> Self {
        let file: Box<dyn Read + Send> = Box::new(source.cursor());
        Stream { inflate: MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file)), position: 0 }
    }

    fn skip_to(&mut self, offset: u64) -> std::io::Result<()> {
        let mut skipped = vec![0; BUFFER_BYTES.min((offset - self.position) as usize)];
        while self.position < offset {
            let length = (offset - self.position).min(skipped.len() as u64) as usize;
            self.inflate.read_exact(skipped.get_mut(..length).unwrap_or_default())?;
            self.position += length as u64;
        }
        Ok(())
    }
}

struct Inflated {
    source: Source,
    len: u64,
    /// Where the last read ended: the next one mostly begins there.
    stream: Mutex<Option<Stream>>,
}

impl Inflated {
    fn read(&self, kept: &mut Option<Stream>, offset: u64, out: &mut [u8]) -> Result<()> {
        let mut stream =
            kept.take().filter(|s| s.position <= offset).unwrap_or_else(|| Stream::new(&self.source));
        let read = stream.skip_to(offset).and_then(|()| stream.inflate.read_exact(out));
        read.map_err(|e| damaged(&self.source, &e))?;
        stream.position += out.len() as u64;
        *kept = Some(stream);
        Ok(())
    }
}

impl ByteSource for Inflated {
    fn uri(&self) -> String {
        self.source.uri()
    }

    fn is_directory(&self) -> bool {
        false
    }

    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let length = self.len.saturating_sub(offset).min(out.len() as u64) as usize;
        let Some(out) = out.get_mut(..length).filter(|out| !out.is_empty()) else { return Ok(0) };
        // Another call is at it: a stream of one's own costs less than waiting for a place far away.
        match self.stream.try_lock() {
            Ok(mut kept) => self.read(&mut kept, offset, out)?,
            Err(TryLockError::Poisoned(kept)) => self.read(&mut kept.into_inner(), offset, out)?,
            Err(TryLockError::WouldBlock) => self.read(&mut None, offset, out)?,
        }
        Ok(length)
    }

    fn list(&self, below: &str) -> Result<Vec<Entry>> {
        self.source.list(below)
    }

    fn child(&self, relative: &str) -> Result<Source> {
        self.source.child(relative)
    }

    fn local_path(&self) -> Option<PathBuf> {
        None
    }

    fn version(&self) -> Result<u64> {
        self.source.version()
    }
}
