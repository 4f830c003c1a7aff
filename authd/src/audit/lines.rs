//! How are lines written to where they are to be, and what if they cannot be?

use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use super::{Event, Keeping, Progress, dropped};

/// How much is written at once, in bytes.
const BATCH_BYTES: usize = 64 * 1024;
/// How long until required lines are tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Where lines go. One of which a part was written is ended before the next begins.
struct Sink<W> {
    to: W,
    is_torn: bool,
}

/// Writes what is recorded until nobody records any more.
pub(super) fn write_all(to: impl Write, keeping: Keeping, events: &Receiver<Event>, progress: &Progress) {
    let mut sink = Sink { to, is_torn: false };
    while let Ok(event) = events.recv() {
        let mut lines = event.line();
        let mut count = 1;
        while lines.len() < BATCH_BYTES
            && let Ok(event) = events.try_recv()
        {
            lines.extend(event.line());
            count += 1;
        }
        match keeping {
            Keeping::Tried => {
                if sink.is_torn {
                    lines.insert(0, b'\n');
                }
                if sink.put(&mut lines).is_err() {
                    dropped(count);
                }
            }
            Keeping::Required => sink.put_in_the_end(&mut lines, progress),
        }
        progress.settle(count);
    }
}

impl<W: Write> Sink<W> {
    /// Writes lines, and leaves what could not be.
    fn put(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        while !lines.is_empty() {
            let written = match self.to.write(lines) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.is_torn = lines.drain(..written).next_back() != Some(b'\n');
        }
        self.to.flush()
    }

    /// Writes lines, however long that takes.
    fn put_in_the_end(&mut self, lines: &mut Vec<u8>, progress: &Progress) {
        while let Err(error) = self.put(lines) {
            progress.stops(&error);
            thread::sleep(AGAIN);
        }
        progress.goes_on();
    }
}
