//! [`TableStream`]: the C struct behind it, and its release.

use std::ffi::c_void;

use crate::author::TableStream;

/// Calls the stream's release once and marks it released (a null release word).
pub fn release_stream(stream: &mut TableStream) {
    const RELEASE: usize = 3;
    if stream.words[RELEASE] == 0 {
        return;
    }
    // SAFETY: the words are a live `struct ArrowArrayStream`: `release` is its fourth member, a function of one pointer
    // to the struct, not null, and it is called once because it is nulled afterwards.
    unsafe {
        let release: unsafe extern "C" fn(*mut c_void) = std::mem::transmute(stream.words[RELEASE]);
        release(stream.words.as_mut_ptr().cast());
    }
    stream.words[RELEASE] = 0;
}

#[cfg(feature = "arrow")]
mod arrow_side {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use arrow::{
        array::{RecordBatch, RecordBatchReader},
        datatypes::SchemaRef,
        error::ArrowError,
        ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader},
    };

    use super::super::guard::{Guarded, panic_error};
    use crate::author::{Error, ErrorKind, Result, TableStream};

    const _: () = assert!(size_of::<FFI_ArrowArrayStream>() == size_of::<TableStream>());

    /// A reader whose panics become errors: Arrow's own callbacks would abort.
    struct GuardedReader {
        inner: Guarded<Box<dyn RecordBatchReader + Send>>,
        schema: SchemaRef,
        ended: bool,
    }

    impl Iterator for GuardedReader {
        type Item = Result<RecordBatch, ArrowError>;

        fn next(&mut self) -> Option<Self::Item> {
            if self.ended {
                return None;
            }
            let inner = &mut self.inner;
            match catch_unwind(AssertUnwindSafe(|| inner.next())) {
                Ok(Some(Ok(batch))) => Some(Ok(batch)),
                Ok(other) => {
                    self.ended = true;
                    other
                }
                Err(payload) => {
                    self.ended = true;
                    Some(Err(to_arrow(panic_error("a table stream", payload))))
                }
            }
        }
    }

    impl RecordBatchReader for GuardedReader {
        fn schema(&self) -> SchemaRef {
            self.schema.clone()
        }
    }

    impl TableStream {
        /// A stream over this reader.
        pub fn from_reader(reader: Box<dyn RecordBatchReader + Send>) -> Self {
            let schema = reader.schema();
            let guarded = GuardedReader { inner: Guarded::new(reader), schema, ended: false };
            let stream = FFI_ArrowArrayStream::new(Box::new(guarded));
            // SAFETY: both are `repr(C)` of five words (asserted above), the C layout of `struct ArrowArrayStream`;
            // `transmute` moves it, so that it is released once, by the new owner.
            unsafe { std::mem::transmute::<FFI_ArrowArrayStream, TableStream>(stream) }
        }

        /// A stream over these batches, all of `schema`.
        pub fn from_batches<I>(schema: SchemaRef, batches: I) -> Self
        where
            I: IntoIterator<Item = Result<RecordBatch>>,
            I::IntoIter: Send + 'static,
        {
            let batches = batches.into_iter().map(|batch| batch.map_err(to_arrow));
            Self::from_reader(Box::new(arrow::array::RecordBatchIterator::new(batches, schema)))
        }

        /// The stream as record batches. Use [`Error::from_arrow`] on the errors it gives.
        ///
        /// # Errors
        /// Those of the producer when it is asked for its schema.
        pub fn into_reader(self) -> Result<RecordBatchStreamReader> {
            let this = std::mem::ManuallyDrop::new(self);
            // SAFETY: as in `from_reader`; ownership moves, `ManuallyDrop` keeps our release from running.
            let stream = unsafe { std::ptr::read((&raw const *this).cast::<FFI_ArrowArrayStream>()) };
            RecordBatchStreamReader::try_new(stream).map_err(Error::from_arrow)
        }
    }

    /// Arrow's streams carry only text: the kind goes in front of it.
    fn to_arrow(error: Error) -> ArrowError {
        ArrowError::ExternalError(format!("{MARK}{}:{}", error.kind as u32, error).into())
    }

    const MARK: &str = "tiled-error:";

    impl Error {
        /// The error as a stream carries it, for [`Error::from_arrow`] on the other side.
        pub fn into_arrow(self) -> ArrowError {
            to_arrow(self)
        }

        /// The error of a stream: ours comes back with its kind, others count as damaged data.
        pub fn from_arrow(error: ArrowError) -> Self {
            let text = error.to_string();
            let Some(at) = text.find(MARK) else { return Error::invalid_data(text) };
            let rest = &text[at + MARK.len()..];
            match rest.split_once(':') {
                Some((code, message)) => {
                    let kind = code.parse().map_or(ErrorKind::Internal, ErrorKind::from_code);
                    Error::new(kind, message.trim_end_matches('\0'))
                }
                None => Error::internal(text),
            }
        }
    }
}
