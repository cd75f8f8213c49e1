//! A backend of one's own: here one that counts what is asked of another, checked with the conformance suite.
//!
//!     cargo run --example custom_backend

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use lbak::{
    Backend, BackendError, Credential, Description, InitOptions, MemoryBackend, MemorySource, NewSlot, ObjectName,
    Repository, Sealed, SnapshotOptions, snapshot, source::MemoryNode,
};

/// Counts calls and passes them on. A real one would speak to a store here: six methods, all of them synchronous.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryBackend,
    puts: AtomicU64,
    reads: AtomicU64,
}

impl Backend for Counting {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.inner.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(name)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get_range(name, offset, length)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.inner.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.inner.remove(name)
    }

    fn describe(&self) -> Description {
        Description { place: "counted memory".into(), ..self.inner.describe() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Panics with the name of the rule that is broken, if one is.
    lbak_testkit::conformance::check(&mut || Box::new(Counting::default()));
    println!("the contract holds");

    let backend = Arc::new(Counting::default());
    let slot = NewSlot::new(Credential::password("correct horse"), "example");
    let repository = Repository::init(Arc::clone(&backend) as Arc<dyn Backend>, &[slot], &InitOptions::default())?;
    let source = MemorySource::new([("/notes", MemoryNode::file("hello"))]);
    snapshot(&repository, &source, &SnapshotOptions::default())?;
    println!("{} objects put, {} reads", backend.puts.load(Ordering::Relaxed), backend.reads.load(Ordering::Relaxed));
    Ok(())
}
