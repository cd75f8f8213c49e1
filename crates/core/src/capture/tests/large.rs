//! Large files, more of them than are read at a time.

use std::{
    fs,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use super::{
    hooked::{Hooked, Step},
    *,
};
use crate::observe::Event;

/// Longer than any machine is busy: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that were told to be stored, and who waits for that.
#[derive(Default)]
struct Told(Mutex<u64>, Condvar);

impl Told {
    fn wait_for_any(&self) -> bool {
        let bytes = self.0.lock().expect("lock");
        let (bytes, _) = self.1.wait_timeout_while(bytes, PATIENCE, |bytes| *bytes == 0).expect("lock");
        *bytes > 0
    }
}

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        if let Event::Progress(progress) = event {
            *self.0.lock().expect("lock") = progress.bytes;
            self.1.notify_all();
        }
    }
}

/// While all readers read large files the walk waits with the next; what was read piled up behind it until one was read to its end.
#[test]
fn what_is_read_of_large_files_is_taken_while_the_next_one_waits_for_a_reader() {
    const LENGTH: usize = 12 << 20;
    let folder = tempfile::tempdir().expect("folder");
    for name in 0..7 {
        fs::write(folder.path().join(name.to_string()), noise(name, LENGTH)).expect("write");
    }
    let told = Arc::new(Told::default());
    let waiting = Arc::clone(&told);
    // Nobody reads a file to its end before something of it has arrived.
    let hook = move |step: Step<'_>| {
        if let Step::Read(name, 11) = step {
            assert!(waiting.wait_for_any(), "nothing is taken of what was read, and {name} is read on");
        }
    };
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let options = SnapshotOptions { observer: Arc::<Told>::clone(&told), ..SnapshotOptions::default() };
    let source = Hooked::new(folder.path(), hook).with_short_reads(1 << 20);
    let report = snapshot(&repository, &source, &options).expect("a snapshot");
    assert_eq!(report.sizes.logical, 7 * LENGTH as u64);
    assert!(entries(&repository, &report).values().filter(|(entry, _)| entry.size == LENGTH as u64).count() == 7);
}
