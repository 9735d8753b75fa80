//! Libraries that panic on damaged input: their panic becomes an error that names the file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tiled_plugin_api::author::{Error, Result};

/// Runs `work`; a panic in it is the file's fault.
///
/// # Errors
/// Those of `work`; `InvalidData` naming `what` where it panicked.
pub fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
            Err(Error::invalid_data(format!("{what}: the file is damaged")).with_detail(text))
        }
    }
}
