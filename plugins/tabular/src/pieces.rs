//! Text of many pieces made by several threads and passed on in order. A few pieces wait at most, so memory stays bounded
//! however slow the client is.

use std::{num::NonZero, ops::Range, sync::mpsc, thread};

use tiled_plugin_api::author::{Context, Error, OwnedBuffer, Result, Sink};

/// More threads than this do not help: the client takes what they make.
const MAX_THREADS: usize = 8;
/// Pieces of one thread that wait to be sent.
const WAITING: usize = 2;

/// Adds the text of a range to a piece.
pub type Write<'a> = dyn Fn(Range<usize>, &mut Vec<u8>) -> Result<()> + Sync + 'a;

/// Cuts `0..total` into pieces of `length`, has `write` make the text of each, and puts all of it in order.
///
/// # Errors
/// That of the first piece that has one; those of the sink; `Cancelled`.
pub fn pieces(cx: &Context, total: usize, length: usize, write: &Write<'_>, sink: &mut Sink) -> Result<()> {
    let length = length.max(1);
    let count = total.div_ceil(length);
    let piece = |number: usize, expected: usize| {
        let start = number * length;
        let mut out = Vec::with_capacity(expected);
        write(start..(start + length).min(total), &mut out).map(|()| out)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS).min(count);
    if threads < 2 {
        let mut expected = 0;
        for number in 0..count {
            cx.check()?;
            let text = piece(number, expected)?;
            expected = text.len() + text.len() / 8;
            sink.put_owned(OwnedBuffer::from_vec(text))?;
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let workers: Vec<mpsc::Receiver<Result<Vec<u8>>>> = (0..threads)
            .map(|first| {
                let (sender, receiver) = mpsc::sync_channel(WAITING);
                let piece = &piece;
                scope.spawn(move || {
                    let mut expected = 0;
                    for number in (first..count).step_by(threads) {
                        let text = piece(number, expected);
                        expected = text.as_ref().map_or(0, |text| text.len() + text.len() / 8);
                        // Nobody listens when the client has gone.
                        if sender.send(text).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for worker in workers.iter().cycle().take(count) {
            cx.check()?;
            let text = worker.recv().map_err(|_| Error::internal("a thread ended early"))??;
            sink.put_owned(OwnedBuffer::from_vec(text))?;
        }
        Ok(())
    })
}

/// The texts of `count` things, made by several threads where it is much work.
///
/// # Errors
/// That of the first thing that has one.
pub fn each(
    count: usize,
    is_much: bool,
    write: &(dyn Fn(usize, &mut Vec<u8>) -> Result<()> + Sync),
) -> Result<Vec<Vec<u8>>> {
    let text = |number: usize| {
        let mut out = Vec::new();
        write(number, &mut out).map(|()| out)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS).min(count);
    if threads < 2 || !is_much {
        return (0..count).map(text).collect();
    }
    let mut parts = thread::scope(|scope| {
        let text = &text;
        let start =
            |first: usize| scope.spawn(move || (first..count).step_by(threads).map(text).collect::<Vec<_>>());
        let workers: Vec<_> = (0..threads).map(start).collect();
        let parts = workers.into_iter().map(|worker| worker.join().map(Vec::into_iter));
        parts.collect::<std::thread::Result<Vec<_>>>().map_err(|_| Error::internal("a thread ended early"))
    })?;
    let missing = || Err(Error::internal("a text is missing"));
    (0..count)
        .map(|number| parts.get_mut(number % threads).and_then(Iterator::next).unwrap_or_else(missing))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tiled_plugin_api::author::ByteSink;

    use super::*;

    #[derive(Clone, Default)]
    struct Collect(Arc<Mutex<Vec<u8>>>);

    impl ByteSink for Collect {
        fn write(&mut self, bytes: &[u8]) -> Result<()> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn pieces_come_in_order() {
        let kept = Collect::default();
        let mut sink = Sink::new(kept.clone());
        let write = |range: Range<usize>, out: &mut Vec<u8>| {
            range.for_each(|n| out.extend_from_slice(format!("{n},").as_bytes()));
            Ok(())
        };
        pieces(&Context::unbounded(), 100_000, 999, &write, &mut sink).unwrap();
        sink.push().unwrap();
        let expected: String = (0..100_000).map(|n| format!("{n},")).collect();
        assert!(*kept.0.lock().unwrap() == expected.as_bytes());
    }

    #[test]
    fn each_text_is_in_its_place() {
        let write = |number: usize, out: &mut Vec<u8>| {
            out.push(number as u8);
            Ok(())
        };
        assert_eq!(each(5, true, &write).unwrap(), [[0], [1], [2], [3], [4]]);
        let write = |number: usize, _: &mut Vec<u8>| {
            if number < 2 { Ok(()) } else { Err(Error::invalid_data(number.to_string())) }
        };
        assert_eq!(each(5, true, &write).unwrap_err().message, "2");
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut sink = Sink::new(Collect::default());
        let write = |range: Range<usize>, _: &mut Vec<u8>| {
            if range.contains(&500) { Err(Error::invalid_data("five hundred")) } else { Ok(()) }
        };
        let error = pieces(&Context::unbounded(), 100_000, 10, &write, &mut sink).unwrap_err();
        assert_eq!(error.message, "five hundred");
    }
}
