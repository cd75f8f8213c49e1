//! An observer that shows progress, and a cancellation that stops a snapshot half-way; the next run goes on from there.
//!
//!     cargo run --example progress

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak::{
    Cancellation, Credential, Error, Event, InitOptions, LocalSource, MemoryBackend, NewSlot, Observer, Repository,
    SnapshotOptions, snapshot,
};

/// Prints a line for every 8 MiB and stops the run at a limit.
struct Printer {
    shown: AtomicU64,
    limit: u64,
    cancellation: Cancellation,
}

impl Observer for Printer {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Progress(progress) => {
                let steps = progress.bytes >> 23;
                if self.shown.swap(steps, Ordering::Relaxed) != steps {
                    println!(
                        "{} files, {} MiB read, {} MiB stored",
                        progress.files,
                        steps * 8,
                        progress.stored_bytes >> 20
                    );
                }
                if progress.bytes >= self.limit {
                    self.cancellation.cancel();
                }
            }
            Event::Stage(stage) => println!("{stage:?}"),
            Event::Finding(finding) => println!("{finding}"),
            _ => {}
        }
    }
}

fn options(limit: u64) -> SnapshotOptions {
    let cancellation = Cancellation::default();
    let observer = Arc::new(Printer { shown: AtomicU64::new(0), limit, cancellation: cancellation.clone() });
    SnapshotOptions { observer, cancellation, ..SnapshotOptions::default() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = tempfile::tempdir()?;
    for number in 0_u32..64 {
        // A megabyte that no other file has.
        let line = format!("{number} bottles of milk on the wall\n");
        fs::write(data.path().join(number.to_string()), line.repeat((1 << 20) / line.len()))?;
    }
    let slot = NewSlot::new(Credential::password("correct horse"), "progress");
    let repository = Repository::init(Arc::new(MemoryBackend::new()), &[slot], &InitOptions::default())?;
    let source = LocalSource::new(&[data.path()])?;

    match snapshot(&repository, &source, &options(32 << 20)) {
        Err(Error::Cancelled) => println!("stopped; nothing was committed"),
        other => return Err(format!("expected to be stopped: {other:?}").into()),
    }
    let report = snapshot(&repository, &source, &options(u64::MAX))?;
    println!("{} of {} bytes were new the second time", report.sizes.new, report.sizes.logical);
    assert!(report.sizes.new < report.sizes.logical);
    Ok(())
}
