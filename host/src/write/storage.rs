//! Writing values: the part is checked again once nobody else writes to it, stored by the plugin, and only then told to the
//! catalog.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, Host, Payload, Storage, WriteRequest},
    model::{SliceDim, StructureFamily},
};

use super::{
    Sent, Wish, Writers, blocking, locks::Turn, not_here, part::Part, takes, to_the_end, unprocessable,
};
use crate::{
    catalog::{DataSourceRow, Management, NodeRow},
    plugin::{LoadedWriter, context},
    tree::{Mount, Node, Place, TreeError, TreeResult},
};

/// Between what another program stores and what it tells the catalog.
const OTHERS_TELL: Duration = Duration::from_secs(1);

/// A data source that can be written.
pub(super) struct Target {
    pub mount: Arc<Mount>,
    pub row: Arc<NodeRow>,
    pub source: DataSourceRow,
    pub writer: Arc<LoadedWriter>,
    pub host: Host,
}

impl Writers {
    /// Everything that can be refused before the body is taken: the node, the part, the media type, the length.
    ///
    /// # Errors
    /// `Unsupported` for nodes that cannot be written, `UnsupportedFormat`, `InvalidData`, `InvalidArgument`, `Conflict`.
    pub fn admit(&self, node: &Node, wish: &Wish, media_type: &str, length: Option<u64>) -> TreeResult<()> {
        let target = self.target(node, wish)?;
        takes(node.family, media_type)?;
        let part = wish.part(node.family, &structure_of(&target.source))?;
        check_length(&part, length)
    }

    /// Writes, and gives the structure afterwards (null for none). Goes on to its end when the client has gone.
    ///
    /// # Errors
    /// As [`Writers::admit`]; those of the writer, and nothing is changed.
    pub async fn write(
        self: &Arc<Self>,
        cx: &Context,
        node: &Node,
        wish: Wish,
        sent: Sent,
    ) -> TreeResult<Value> {
        let (this, node, request_id) = (self.clone(), node.clone(), cx.request_id());
        to_the_end(async move {
            let (cx, _alive) = context(request_id, None);
            this.write_whole(&cx, &node, &wish, sent).await
        })
        .await
    }

    async fn write_whole(&self, cx: &Context, node: &Node, wish: &Wish, sent: Sent) -> TreeResult<Value> {
        let before = self.target(node, wish)?;
        let place = wish.part(node.family, &structure_of(&before.source))?.place;
        let turn = Arc::new(self.locks.turn(&before.mount.catalog, before.source.id, place).await?);
        // Others may have written, or deleted, while this waited.
        let target = self.target(node, wish)?;
        let structure = structure_of(&target.source);
        let part = wish.part(node.family, &structure)?;
        if part.place != place {
            return Err(busy());
        }
        check_length(&part, Some(sent.bytes.len() as u64))?;
        if part.is_empty() {
            return Ok(structure);
        }
        let (family, source) = (node.family, target.source.id);
        let after = part.structure.clone();
        let told = match store(cx, &target, family, part.clone(), sent.clone(), turn.clone()).await {
            Err(error) if is_occupied(family, &part, &error) => {
                self.store_over(cx, node, wish, &structure, sent, turn.clone()).await?
            }
            done => done.map_err(|error| refusal(wish, error))?,
        };
        self.tree.forget(&target.mount, source);
        let Some(after) = told.or(after) else { return Ok(structure) };
        let (mount, wish) = (target.mount.clone(), wish.clone());
        let updated = blocking(move || {
            let mut settle = |now: &Value| settled(&structure, now, &after, family, &wish);
            mount.catalog.update_structure(source, &mut settle)
        })
        .await;
        self.tree.forget(&target.mount, source);
        drop(turn);
        updated
    }

    /// Appends where rows are that no structure tells of. Either a server has ended between storing them and telling the
    /// catalog, then they were never acknowledged and go; or another program, which takes no turn, is about to tell it.
    async fn store_over(
        &self,
        cx: &Context,
        node: &Node,
        wish: &Wish,
        structure: &Value,
        sent: Sent,
        turn: Arc<Turn>,
    ) -> TreeResult<Option<Value>> {
        tokio::time::sleep(OTHERS_TELL).await;
        let target = self.target(node, wish)?;
        let mut part = wish.part(node.family, &structure_of(&target.source))?;
        if structure_of(&target.source) != *structure {
            return Err(busy());
        }
        let chunks = structure.pointer("/chunks/0").and_then(Value::as_array).map_or(0, Vec::len);
        part.request.block = Some(vec![chunks as u64]);
        Ok(store(cx, &target, node.family, part, sent, turn).await.map_err(|error| refusal(wish, error))?)
    }

    /// The data source of a node, if it can be written so.
    fn target(&self, node: &Node, wish: &Wish) -> TreeResult<Target> {
        let refuse = || not_here(refusal_text(node.family, wish));
        let Place::Row(mount, row) = &node.place else { return Err(refuse()) };
        let fits = !matches!(wish, Wish::Partition { .. }) || node.family == StructureFamily::Table;
        if mount.filler.is_some() || row.data_source.is_none() || !fits {
            return Err(refuse());
        }
        let source = mount.catalog.data_sources(row.id)?.into_iter().next();
        let source = source.ok_or_else(|| TreeError::NoEntry(node.path.clone()))?;
        if !matches!(source.management, Management::Writable | Management::Immutable) {
            return Err(refuse());
        }
        let writer = self.writer_of(&source).ok_or_else(refuse)?;
        let host = self.tree.plugins().host();
        Ok(Target { mount: mount.clone(), row: row.clone(), source, writer, host })
    }

    /// The writer of a data source that is there.
    pub(super) fn writer_of(&self, source: &DataSourceRow) -> Option<Arc<LoadedWriter>> {
        let uri = &source.assets.first()?.data_uri;
        let scheme = uri.split_once(':').map_or("file", |(scheme, _)| scheme);
        self.tree.plugins().writer_for(&source.mimetype, scheme)
    }
}

/// Has the plugin store the part. The turn goes along, so that a call which is given up still keeps others out.
async fn store(
    cx: &Context,
    target: &Target,
    family: StructureFamily,
    part: Part,
    sent: Sent,
    turn: Arc<Turn>,
) -> Result<Option<Value>, Error> {
    let (mount, source, writer) = (target.mount.clone(), target.source.clone(), target.writer.clone());
    let (context, key, host) = (cx.clone(), target.row.key.clone(), target.host.clone());
    let storing = move || {
        let rows = part.slice.first().map_or(1, |dim| dim.count);
        let payload = sent.payload(family, rows)?;
        let storage = writer.open(&context, mount.open_request(&source, host)?)?;
        let told = commit(&*storage, &context, &part.request, &part.slice, payload);
        drop(turn);
        told.map_err(|error| if error.kind == ErrorKind::InvalidData { error.within(&key) } else { error })
    };
    target.writer.plugin.call(cx, storing).await
}

fn commit(
    storage: &dyn Storage,
    cx: &Context,
    request: &WriteRequest,
    slice: &[SliceDim],
    payload: Payload,
) -> Result<Option<Value>, Error> {
    let written = storage.write(cx, request, slice, payload).and_then(|told| {
        storage.prepare()?;
        storage.commit()?;
        Ok(told)
    });
    if let Err(error) = &written
        && let Err(other) = storage.abort()
        && other.kind != ErrorKind::Unsupported
    {
        tracing::warn!("what a failed write left could not be taken back: {other} (it failed with: {error})");
    }
    written
}

/// The body has as many bytes as the part takes.
fn check_length(part: &Part, length: Option<u64>) -> TreeResult<()> {
    match (part.nbytes, length) {
        (Some(wanted), Some(given)) if wanted != given => {
            let shape: Vec<String> = part.slice.iter().map(|dim| dim.count.to_string()).collect();
            Err(unprocessable(format!(
                "The body has {given} bytes, but the shape ({}) in the array's data type takes {wanted}",
                shape.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

/// The structure that the catalog is told. A program that takes no turn may have changed it meanwhile: an array then is as
/// large as both have made it.
fn settled(
    before: &Value,
    now: &Value,
    after: &Value,
    family: StructureFamily,
    wish: &Wish,
) -> TreeResult<Value> {
    if now == before {
        return Ok(after.clone());
    }
    match family {
        StructureFamily::Array => Ok(wish.part(family, now)?.structure.unwrap_or_else(|| now.clone())),
        _ => Err(busy()),
    }
}

/// Whether there are rows already where a ragged array is to be appended to.
fn is_occupied(family: StructureFamily, part: &Part, error: &Error) -> bool {
    family == StructureFamily::Ragged && part.request.append && error.kind == ErrorKind::Conflict
}

fn structure_of(source: &DataSourceRow) -> Value {
    source.structure.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// What a writer refuses is the body's fault, not the request's form.
fn refusal(wish: &Wish, error: Error) -> Error {
    match error.kind {
        ErrorKind::InvalidArgument | ErrorKind::OutOfBounds => {
            Error { kind: ErrorKind::InvalidData, ..error }
        }
        ErrorKind::Unsupported if matches!(wish, Wish::Partition { append: true, .. }) => Error {
            message: "This node does not supporting writing a partition.".into(),
            detail: error.message,
            ..error
        },
        _ => error,
    }
}

fn busy() -> TreeError {
    let mut error = Error::new(ErrorKind::Busy, "The structure of this node has just changed; try again");
    error.retry_after_ms = 100;
    error.into()
}

/// In Tiled's words.
fn refusal_text(family: StructureFamily, wish: &Wish) -> &'static str {
    match (family, wish) {
        (_, Wish::Partition { .. }) => "This node does not supporting writing a partition.",
        (StructureFamily::Table, _) => "This node does not support writing.",
        (StructureFamily::Awkward, _) => "This node cannot be written to.",
        (StructureFamily::Ragged, Wish::Block(_)) => "This node cannot accept blocks of ragged array data.",
        (StructureFamily::Ragged, Wish::Region { .. }) => {
            "This node does not support patching ragged array data."
        }
        _ => "This node cannot accept array data.",
    }
}
