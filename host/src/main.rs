//! `tiled-host`: see [`tiled_host::cli`].

/// Values come and go by the megabyte on many threads: this allocator keeps them apart.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tiled_host::cli::run()
}
