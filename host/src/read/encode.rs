//! Serializers at work: on a thread of their plugin, into a body that starts when enough is there.

use std::sync::Arc;

use bytes::Bytes;
use tiled_plugin_api::author::{
    ByteSink, Context, EncodeRequest, Error, ErrorKind, OwnedBuffer, Payload, Result, Sink,
};
use tokio::sync::mpsc;

use super::{Body, Readers, budget::Taken};
use crate::{plugin::LoadedSerializer, tree::TreeResult};

/// An answer of up to so many encoded bytes is complete before its status is sent, so that errors are errors.
const WHOLE_ENCODED_BYTES: usize = 8 << 20;

struct ChannelSink(mpsc::Sender<Result<Bytes>>);

impl ByteSink for ChannelSink {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let gone = |_| Error::new(ErrorKind::Cancelled, "The client has gone");
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)
    }

    /// The values stay where they are until they have been sent.
    fn write_owned(&mut self, bytes: OwnedBuffer) -> Result<()> {
        let gone = |_| Error::new(ErrorKind::Cancelled, "The client has gone");
        self.0.blocking_send(Ok(Bytes::from_owner(bytes))).map_err(gone)
    }
}

impl Readers {
    /// The encoded payload, which is made on the serializer's thread: what it reads belongs to the same call. `taken` is the memory of the payload, held until it is encoded.
    pub(super) async fn encode(
        &self,
        cx: &Context,
        serializer: Arc<LoadedSerializer>,
        request: EncodeRequest,
        payload: impl FnOnce() -> Result<Payload> + Send + 'static,
        taken: Taken,
    ) -> TreeResult<Body> {
        let (sender, mut receiver) = mpsc::channel(4);
        let errors = sender.clone();
        let context = cx.clone();
        let plugin = serializer.plugin.clone();
        let job = move || {
            let _taken = taken;
            let mut sink = Sink::new(ChannelSink(sender));
            serializer.encode(&context, &request, payload()?, &mut sink)?;
            sink.push()
        };
        let cx = cx.clone();
        tokio::spawn(async move {
            if let Err(error) = plugin.stream(&cx, job).await {
                // Nobody listens when the client has gone.
                let _ = errors.send(Err(error)).await;
            }
        });
        let deadline = tokio::time::Instant::now() + self.first_byte;
        let (mut first, mut bytes) = (Vec::new(), 0);
        while bytes <= WHOLE_ENCODED_BYTES {
            let next = tokio::time::timeout_at(deadline, receiver.recv()).await;
            match next.map_err(|_| too_slow())? {
                None => return Ok(Body::Whole(join(first))),
                Some(part) => {
                    let part = part?;
                    bytes += part.len();
                    first.push(part);
                }
            }
        }
        Ok(Body::Stream(behind(first, receiver)))
    }
}

fn too_slow() -> Error {
    Error::new(ErrorKind::Cancelled, "The answer was not ready in time. Ask for a smaller part")
}

fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 { parts.swap_remove(0) } else { parts.concat().into() }
}

/// The same stream with these parts before it.
fn behind(first: Vec<Bytes>, mut rest: mpsc::Receiver<Result<Bytes>>) -> mpsc::Receiver<Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for part in first {
            if sender.send(Ok(part)).await.is_err() {
                return;
            }
        }
        while let Some(part) = rest.recv().await {
            if sender.send(part).await.is_err() {
                return;
            }
        }
    });
    receiver
}
