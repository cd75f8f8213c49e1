//! A backend that writes down what it is asked.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lbak_core::backend::{Backend, BackendError, BackendErrorKind, Description, Latency, ObjectName, Sealed};

use crate::Operation;

/// One operation that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was asked.
    pub operation: Operation,
    /// The object's name, or the listed prefix.
    pub name: String,
    /// Where a range begins; 0 for everything else.
    pub offset: u64,
    /// Bytes given to `put`, or received from a read; 0 for everything else.
    pub bytes: u64,
    /// Objects that a `list` reported.
    pub listed: u64,
    /// The thread that asked, where it has a name: those of a repository's workers begin with `lbak-worker`.
    pub thread: Option<String>,
    /// How it failed, if it did.
    pub error: Option<BackendErrorKind>,
}

/// Passes everything on and writes it down: for tests of *cost* ("the second snapshot reads no pack") and of *order*.
#[derive(Debug)]
pub struct RecordingBackend<B> {
    inner: B,
    is_far: bool,
    records: Mutex<Vec<Record>>,
}

impl<B: Backend> RecordingBackend<B> {
    /// Wraps a backend.
    pub fn new(inner: B) -> Self {
        Self { inner, is_far: false, records: Mutex::new(Vec::new()) }
    }

    /// Wraps a backend and describes it as one behind a network.
    pub fn far(inner: B) -> Self {
        Self { is_far: true, ..Self::new(inner) }
    }

    /// The backend inside; what is asked of it directly is not written down.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Everything so far, in the order in which it ended.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// Forgets everything and returns it.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.lock())
    }

    /// How many operations of a kind there were on names, or prefixes, that begin like this (`"packs/"`; `""` for all).
    pub fn count(&self, operation: Operation, prefix: &str) -> usize {
        self.lock().iter().filter(|record| record.operation == operation && record.name.starts_with(prefix)).count()
    }

    /// How many bytes they moved.
    pub fn bytes(&self, operation: Operation, prefix: &str) -> u64 {
        let records = self.lock();
        let matching = records.iter().filter(|record| record.operation == operation && record.name.starts_with(prefix));
        matching.map(|record| record.bytes).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record<T>(&self, record: Record, result: &Result<T, BackendError>) {
        let error = result.as_ref().err().map(|error| error.kind);
        self.lock().push(Record { error, ..record });
    }
}

fn ended(operation: Operation, name: impl Into<String>) -> Record {
    let thread = std::thread::current().name().map(str::to_owned);
    Record { operation, name: name.into(), offset: 0, bytes: 0, listed: 0, thread, error: None }
}

fn received(result: &Result<Bytes, BackendError>) -> u64 {
    result.as_ref().map_or(0, |bytes| bytes.len() as u64)
}

impl<B: Backend> Backend for RecordingBackend<B> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        let result = self.inner.put(name, object);
        let bytes = object.as_bytes().len() as u64;
        self.record(Record { bytes, ..ended(Operation::Put, name.to_string()) }, &result);
        result
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        let result = self.inner.get(name);
        self.record(Record { bytes: received(&result), ..ended(Operation::Get, name.to_string()) }, &result);
        result
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        let result = self.inner.get_at_most(name, most);
        self.record(Record { bytes: received(&result), ..ended(Operation::Get, name.to_string()) }, &result);
        result
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let result = self.inner.get_range(name, offset, length);
        let bytes = received(&result);
        self.record(Record { offset, bytes, ..ended(Operation::GetRange, name.to_string()) }, &result);
        result
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let mut listed = 0;
        let result = self.inner.list(prefix, &mut |name, size| {
            listed += 1;
            found(name, size)
        });
        self.record(Record { listed, ..ended(Operation::List, prefix) }, &result);
        result
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        let result = self.inner.remove(name);
        self.record(ended(Operation::Remove, name.to_string()), &result);
        result
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        let description = self.inner.describe();
        let latency = if self.is_far { Latency::High } else { description.latency };
        Description { latency, ..description }
    }
}
