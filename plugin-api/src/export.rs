//! [`export_plugin!`](crate::export_plugin): from an author's readers and serializers to a library.

use std::sync::Arc;

use crate::author::{Reader, Serializer, Writer};

/// What a plugin offers, in the order of its descriptor. Made by [`export_plugin!`](crate::export_plugin).
#[derive(Default)]
pub struct Offer {
    /// By number.
    pub readers: Vec<Arc<dyn Reader>>,
    /// By number.
    pub serializers: Vec<Arc<dyn Serializer>>,
    /// By number.
    pub writers: Vec<Arc<dyn Writer>>,
    /// Called once when the server ends.
    pub shutdown: Option<fn()>,
}

/// Makes a library a plugin.
///
/// ```
/// use tiled_plugin_api::prelude::*;
///
/// struct Greeting;
///
/// impl Reader for Greeting {
///     fn open(&self, _cx: &Context, _request: OpenRequest) -> Result<Box<dyn Adapter>> {
///         Err(Error::unsupported_format("a greeting is not data"))
///     }
/// }
///
/// tiled_plugin_api::export_plugin! {
///     name: "greeting",
///     readers: [Greeting => { mimetypes: ["text/x-greeting"], extensions: [".hello"] }],
/// }
/// # fn main() {}
/// ```
///
/// Claims are JSON with bare keys on the outside. Of a reader: `mimetypes`, `extensions` (longest first wins), `sequence`
/// (the mimetype of numbered files opened together), `directory` (whether it opens directories). Of a serializer:
/// `families` (or spec names), `media_types`, `aliases` (file extension to media type). Of a writer: `mimetypes`,
/// `schemes` (of storage URIs). Optional: `init: function` of `fn(&Host, serde_json::Value) -> Result<()>`, called first
/// with the plugin's configuration; `shutdown: function`; `threading: "serialized"` for a library that takes one call
/// at a time.
#[macro_export]
macro_rules! export_plugin {
    (
        name: $name:literal
        $(, threading: $threading:literal)?
        $(, init: $init:expr)?
        $(, shutdown: $shutdown:expr)?
        $(, readers: [$($reader:expr => { $($rkey:ident : $rvalue:tt),* $(,)? }),* $(,)?])?
        $(, serializers: [$($serializer:expr => { $($skey:ident : $svalue:tt),* $(,)? }),* $(,)?])?
        $(, writers: [$($writer:expr => { $($wkey:ident : $wvalue:tt),* $(,)? }),* $(,)?])?
        $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(unsafe_code)]
        mod __tiled_plugin {
            #[allow(unused_imports)]
            use super::*;
            use $crate::abi::reexport::abi_stable;

            const PARTS: &[&str] = &[
                "{\"name\":\"", $name,
                "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
                "\",\"abi\":\"", $crate::abi::ABI_NAME,
                "\",\"api_version\":\"", $crate::VERSION,
                "\",\"abi_major\":1,\"abi_minor\":0",
                ",\"panic\":\"", if cfg!(panic = "unwind") { "unwind" } else { "abort" },
                "\",\"target\":\"", $crate::TARGET,
                "\",\"symbol\":\"tiled_plugin_v1_", env!("CARGO_CRATE_NAME"),
                "\",\"threading\":\"", $crate::__first!($($threading,)? "concurrent"), "\"",
                ",\"readers\":[" $(, $crate::__claims!($({ $($rkey : $rvalue),* })*))?, "]",
                ",\"serializers\":[" $(, $crate::__claims!($({ $($skey : $svalue),* })*))?, "]",
                ",\"writers\":[" $(, $crate::__claims!($({ $($wkey : $wvalue),* })*))?, "]",
                "}",
            ];

            #[used]
            #[unsafe(link_section = ".tiled_plugin")]
            static DESCRIPTOR: [u8; $crate::abi::descriptor_len(PARTS)] = $crate::abi::descriptor_bytes(PARTS);

            /// The descriptor as text, for tests.
            pub fn descriptor() -> &'static str {
                ::core::str::from_utf8(&DESCRIPTOR).unwrap_or_default()
            }

            /// What the plugin offers, for hosts that link it in.
            pub fn offer(
                host: &$crate::author::Host,
                config: $crate::serde_json::Value,
            ) -> $crate::author::Result<$crate::export::Offer> {
                let _ = (host, &config);
                $(($init)(host, config)?;)?
                #[allow(unused_mut)]
                let mut offer = $crate::export::Offer::default();
                $($(offer.readers.push(::std::sync::Arc::new($reader));)*)?
                $($(offer.serializers.push(::std::sync::Arc::new($serializer));)*)?
                $($(offer.writers.push(::std::sync::Arc::new($writer));)*)?
                $(offer.shutdown = Some($shutdown);)?
                Ok(offer)
            }

            extern "C" fn create(
                host: $crate::abi::HostObject,
                config: abi_stable::std_types::RStr<'_>,
            ) -> $crate::abi::AbiResult<$crate::abi::PluginObject> {
                $crate::abi::create($name, offer, host, config)
            }

            fn module() -> $crate::abi::PluginModuleRef {
                $crate::abi::root_module(create)
            }

            extern "C" fn erased() -> abi_stable::library::RootModuleResult {
                abi_stable::library::__call_root_module_loader(module)
            }

            // SAFETY: the name is unique to this crate; `erased` gives the module of a `PluginModuleRef`.
            #[unsafe(export_name = concat!("tiled_plugin_v1_", env!("CARGO_CRATE_NAME")))]
            pub static HEADER: abi_stable::library::LibHeader = unsafe { $crate::abi::header(erased) };
        }
    };
}

/// The first of its arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

/// Claims as JSON objects, numbered, with commas between: one literal, so that it is data of the library.
#[doc(hidden)]
#[macro_export]
macro_rules! __claims {
    () => { "" };
    ({ $($key:ident : $value:tt),* } $({ $($more_key:ident : $more_value:tt),* })*) => {
        concat!(
            "{", $("\"", stringify!($key), "\":", stringify!($value), ",",)* "\"_\":0}",
            $(",{", $("\"", stringify!($more_key), "\":", stringify!($more_value), ",",)* "\"_\":0}",)*
        )
    };
}
