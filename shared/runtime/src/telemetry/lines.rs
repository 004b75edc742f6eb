//! How log lines reach stderr: beside the work, so that a reader who stalls stops nobody, and
//! without what would make a terminal show something else than is written.

use std::{io, time::Duration};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::{MakeWriter, writer::BoxMakeWriter};

use crate::{metrics::meter, text::escape_deceptive};

/// Lines that may wait for whoever reads stderr; at some 400 bytes each a few megabytes.
const WAITING: usize = 8192;

/// How long the last lines are waited for; a tenth of a second for the room that the end's own mark
/// needs, and a second until it is reached, as tracing-appender has it.
pub(super) const FLUSH_LIMIT: Duration = Duration::from_millis(1100);

/// Writes the last lines when it is dropped, for a second at most.
pub(super) struct Flush(#[allow(dead_code, reason = "its drop is what it is for")] WorkerGuard);

/// A writer with a thread of its own. What does not fit is dropped and counted.
pub(super) fn beside() -> (NonBlocking, Flush) {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(io::stderr());
    let dropped = writer.error_counter();
    meter()
        .u64_observable_counter("log_lines_dropped")
        .with_description("Log lines that were not written, since nobody read them")
        .with_callback(move |counter| {
            counter.observe(u64::try_from(dropped.dropped_lines()).unwrap_or(u64::MAX), &[]);
        })
        .build();
    (writer, Flush(guard))
}

/// Lines for a terminal, with everything in them to be seen.
pub(super) struct Visible(BoxMakeWriter);

impl Visible {
    pub(super) fn on(writer: BoxMakeWriter) -> Self {
        Self(writer)
    }
}

impl<'a> MakeWriter<'a> for Visible {
    type Writer = VisibleWriter<<BoxMakeWriter as MakeWriter<'a>>::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        VisibleWriter(self.0.make_writer())
    }
}

pub(super) struct VisibleWriter<W>(W);

impl<W: io::Write> io::Write for VisibleWriter<W> {
    /// A whole line, as the formatter writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(escape_deceptive(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
