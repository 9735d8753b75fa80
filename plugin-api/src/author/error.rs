//! One error for everything that crosses the edge; its kind says who is at fault.

use std::fmt;

/// `Result` with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who is at fault and how the host answers. An open set: unknown numbers count as `Internal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ErrorKind {
    /// A bug of the plugin or the host (500).
    Internal = 0,
    /// No such node, column, member (404).
    NotFound = 1,
    /// The caller asked for something that makes no sense (400).
    InvalidArgument = 2,
    /// The caller asked beyond the data (400).
    OutOfBounds = 3,
    /// This plugin has no such ability: the default of every optional method (405).
    Unsupported = 4,
    /// The file is of a kind, or uses a codec, that the plugin does not know (415).
    UnsupportedFormat = 5,
    /// The values do not fit the requested media type (406).
    NotAcceptable = 6,
    /// The file is damaged: say which file, dataset and chunk (422).
    InvalidData = 7,
    /// A link inside the file leads nowhere (410).
    BrokenLink = 8,
    /// The answer or a step to it is larger than a limit (400).
    TooLarge = 9,
    /// A path leads out of the readable roots (403).
    Forbidden = 10,
    /// A write meets what is there already (409).
    Conflict = 11,
    /// Try again later (503).
    Busy = 12,
    /// The caller has gone or the deadline is over.
    Cancelled = 13,
    /// The plugin panicked; the guard caught it (500).
    Panic = 14,
}

impl ErrorKind {
    const ALL: [ErrorKind; 15] = [
        ErrorKind::Internal,
        ErrorKind::NotFound,
        ErrorKind::InvalidArgument,
        ErrorKind::OutOfBounds,
        ErrorKind::Unsupported,
        ErrorKind::UnsupportedFormat,
        ErrorKind::NotAcceptable,
        ErrorKind::InvalidData,
        ErrorKind::BrokenLink,
        ErrorKind::TooLarge,
        ErrorKind::Forbidden,
        ErrorKind::Conflict,
        ErrorKind::Busy,
        ErrorKind::Cancelled,
        ErrorKind::Panic,
    ];

    /// The kind of that number; `Internal` for numbers of a later version.
    pub fn from_code(code: u32) -> Self {
        Self::ALL.into_iter().find(|kind| *kind as u32 == code).unwrap_or(ErrorKind::Internal)
    }
}

/// What went wrong. `message` may be shown to clients: it names the thing and the remedy; `detail` goes to the log only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Who is at fault.
    pub kind: ErrorKind,
    /// For the client. No final dot.
    pub message: String,
    /// For the log.
    pub detail: String,
    /// For `Busy`: when to try again; 0 where unknown.
    pub retry_after_ms: u64,
}

impl Error {
    /// An error of this kind with a message for the client.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), detail: String::new(), retry_after_ms: 0 }
    }

    /// A bug: the text goes to the log, the client sees only that it happened.
    pub fn internal(detail: impl fmt::Display) -> Self {
        Error::new(ErrorKind::Internal, "Internal server error").with_detail(detail)
    }

    /// The file is damaged.
    pub fn invalid_data(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidData, message)
    }

    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::NotFound, message)
    }

    /// The file uses something this plugin does not know.
    pub fn unsupported_format(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::UnsupportedFormat, message)
    }

    /// This plugin has no method of that name: what every optional method answers.
    pub fn unsupported(method: &str) -> Self {
        Error::new(ErrorKind::Unsupported, format!("This plugin does not support `{method}`"))
    }

    /// The same error with a text for the log.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// The same error, its message led by `what: `, as in `file a.h5: dataset /x`.
    #[must_use]
    pub fn within(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    /// A missing file is `NotFound`, a short one `InvalidData`, anything else `Internal`.
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        match error.kind() {
            Io::NotFound => Error::not_found(error.to_string()),
            Io::UnexpectedEof | Io::InvalidData => Error::invalid_data(error.to_string()),
            _ => Error::internal(error),
        }
    }
}
