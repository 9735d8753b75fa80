//! The one guard over every foreign entry. A panic must be caught by the library that raised it: unwinding out of it
//! ends the process.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use abi_stable::std_types::RResult;

use super::AbiResult;
use crate::author::{Error, ErrorKind, Host, Level};

/// Runs an entry; a panic becomes an error of kind `Panic`.
pub fn guard<T>(entry: &str, f: impl FnOnce() -> Result<T, Error>) -> AbiResult<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(error)) => RResult::RErr(error.into()),
        Err(payload) => RResult::RErr(panic_error(entry, payload).into()),
    }
}

/// Runs an entry that cannot fail; a panic gives `otherwise`.
pub(super) fn guard_or<T>(otherwise: T, f: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        guard_drop(payload);
        otherwise
    })
}

/// Drops a value whose `Drop` may panic.
pub fn guard_drop<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        // A payload whose own drop panics again is leaked.
        std::mem::forget(payload);
    }
}

/// The error a caught panic becomes; the client sees that it happened, the log sees what it said.
pub(crate) fn panic_error(entry: &str, payload: Box<dyn Any + Send>) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    guard_drop(payload);
    Error::new(ErrorKind::Panic, format!("The plugin panicked in {entry}")).with_detail(text)
}

/// A value of the author whose drop is guarded.
pub(super) struct Guarded<T>(std::mem::ManuallyDrop<T>);

impl<T> Guarded<T> {
    pub(super) fn new(value: T) -> Self {
        Guarded(std::mem::ManuallyDrop::new(value))
    }
}

impl<T> std::ops::Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: taken once, in drop; the field is not used afterwards.
        let value = unsafe { std::mem::ManuallyDrop::take(&mut self.0) };
        guard_drop(value);
    }
}

/// Sends this library's panics to the host's log instead of stderr. Each cdylib has its own std, so its own hook.
pub fn install_panic_hook(plugin: &'static str, host: Host) {
    std::panic::set_hook(Box::new(move |info| {
        let text = format!("plugin {plugin}: {info}");
        guard_or((), || host.log(Level::Error, &text));
    }));
}
