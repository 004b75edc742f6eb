//! Panics as log lines: found like any other, and without what they quote.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::PanicHookInfo,
};

/// Writes where it was. A text that was put together, as that of a string cut in the middle of a
/// letter is, may quote a name: only one that stands in the code is told.
pub(super) fn report(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let reason = panic.payload().downcast_ref::<&'static str>().copied();
    // Only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured)
        .then(|| tracing::field::display(&backtrace));
    tracing::error!(location, reason, backtrace, "a part of the program panicked: report it");
}
