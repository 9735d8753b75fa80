//! Bytes that change hands without a copy.

use std::{ffi::c_void, ops::Deref};

use abi_stable::StableAbi;

/// Bytes with an owner who frees them, on whichever side of the edge that is. The release function runs exactly once,
/// on any thread.
#[repr(C)]
#[derive(StableAbi)]
pub struct OwnedBuffer {
    ptr: *const u8,
    len: usize,
    owner: *mut c_void,
    release: extern "C" fn(*mut c_void),
}

// SAFETY: the owner behind the pointer is `Send + Sync` (bound of `from_owner`), the bytes are never written.
#[allow(unsafe_code)]
unsafe impl Send for OwnedBuffer {}
// SAFETY: as above; only shared reads are possible.
#[allow(unsafe_code)]
unsafe impl Sync for OwnedBuffer {}

impl OwnedBuffer {
    /// The bytes of `owner`, which lives until the buffer is dropped. Moving the owner must not move its bytes, as holds
    /// for `Vec`, `Bytes`, `Arc<[u8]>`, mappings: it is boxed before its bytes are looked up.
    pub fn from_owner<T: AsRef<[u8]> + Send + Sync + 'static>(owner: T) -> Self {
        let owner = Box::new(owner);
        let bytes: &[u8] = (*owner).as_ref();
        let (ptr, len) = (bytes.as_ptr(), bytes.len());
        OwnedBuffer { ptr, len, owner: Box::into_raw(owner).cast(), release: release::<T> }
    }

    /// Takes a vector.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self::from_owner(bytes)
    }
}

extern "C" fn release<T>(owner: *mut c_void) {
    // SAFETY: `owner` came from `Box::into_raw` of a `Box<T>` and is released once, by `Drop`.
    #[allow(unsafe_code)]
    let owner = unsafe { Box::from_raw(owner.cast::<T>()) };
    crate::abi::guard_drop(owner);
}

impl Drop for OwnedBuffer {
    fn drop(&mut self) {
        (self.release)(self.owner);
    }
}

impl Deref for OwnedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the owner keeps `len` bytes at `ptr` alive and unchanged until it is released.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.ptr, self.len)
        }
    }
}

impl AsRef<[u8]> for OwnedBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for OwnedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnedBuffer({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    struct Counted(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_owner_is_dropped_once_and_the_bytes_are_not_copied() {
        let drops = Arc::new(AtomicUsize::new(0));
        let bytes = vec![1, 2, 3];
        let at = bytes.as_ptr();
        let buffer = OwnedBuffer::from_owner(Counted(bytes, drops.clone()));
        assert_eq!((&*buffer, buffer.as_ptr()), (&[1, 2, 3][..], at));
        drop(buffer);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}
