//! tiled-host: search and sliced access to scientific data over HTTP, with every format a plugin.
//!
//! The line a request takes, and the rooms on it:
//!
//! ```text
//! http     URL, headers → path, wish, caller        the only room that knows HTTP
//! tree     path + caller → Node                     the only maker of a Node
//! read     node + wish → plan → values → Reply      refuses before it reads
//! write    node + wish + body → data → row          refuses before it takes the body
//! plugin   adapters and serializers                 the only room that loads code
//! ```
//!
//! `cli` and `boot` put the rooms together; `catalog` keeps rows, `query` asks for them, `register` fills them from
//! folders; `source` opens files below the readable roots; `access` and `auth` decide who may; `config` says what was
//! configured; `app` and `render` are what requests share; `zarr` says how nodes look to clients of Zarr.

pub mod access;
pub mod app;
pub mod auth;
pub mod boot;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod example;
pub mod http;
pub mod plugin;
pub mod query;
pub mod read;
pub mod register;
pub mod render;
pub mod source;
pub mod tree;
pub mod write;
pub mod zarr;
