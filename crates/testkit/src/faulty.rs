//! A backend that fails where it is told to.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use lbak_core::backend::{Backend, BackendError, BackendErrorKind, Description, ObjectName, Parts, Sealed};

use crate::Operation;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The operation fails and does nothing.
    FailBefore(BackendErrorKind),
    /// The operation is done, and fails all the same: its acknowledgement was lost.
    FailAfter(BackendErrorKind),
    /// The operation says that it was done, and was not: a `put` or `remove` that changes nothing.
    Pretend,
    /// A `list` reports so many objects and then ends as if those were all.
    TruncateList(usize),
    /// A read succeeds with one bit of the byte at this position (counted around the end) turned over.
    FlipBit(usize),
    /// A read succeeds with so many bytes missing at its end.
    CutShort(usize),
}

/// An effect and when it strikes: by default at every such operation, see the other methods for less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which operation.
    pub operation: Operation,
    /// What happens to it.
    pub effect: Effect,
    /// Only at names, or listed prefixes, that begin like this.
    pub prefix: String,
    /// How many such operations go well before.
    pub skip: u64,
    /// How often it strikes after that.
    pub times: u64,
}

impl Fault {
    /// Strikes at every such operation.
    #[must_use]
    pub fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, effect, prefix: String::new(), skip: 0, times: u64::MAX }
    }

    /// Only at names, or listed prefixes, that begin like this.
    #[must_use]
    pub fn on(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Not at the first `skip` ones.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// One time only.
    #[must_use]
    pub fn once(self) -> Self {
        Self { times: 1, ..self }
    }
}

/// Passes everything on, but for the faults. Of several that would strike at one operation the first does;
/// the others count it as one that passed them by.
///
/// A read of a part is a [`GetRange`](Operation::GetRange), whichever way it is asked for. So is the opening of an object for its parts, where
/// the backend inside does that.
#[derive(Debug)]
pub struct FaultyBackend<B> {
    inner: B,
    faults: Arc<Faults>,
}

/// Faults and how many operations each has seen. An object that was opened has them, too.
#[derive(Debug, Default)]
struct Faults {
    all: Mutex<Vec<(Fault, u64)>>,
    struck: AtomicU64,
}

impl Faults {
    /// Counts an operation and returns what is to happen to it.
    fn effect(&self, operation: Operation, name: &str) -> Option<Effect> {
        let mut effect = None;
        for (fault, seen) in &mut *self.lock() {
            if fault.operation != operation || !name.starts_with(&fault.prefix) {
                continue;
            }
            let strikes = *seen >= fault.skip && *seen - fault.skip < fault.times;
            *seen += 1;
            if strikes && effect.is_none() {
                effect = Some(fault.effect);
            }
        }
        if effect.is_some() {
            self.struck.fetch_add(1, Ordering::Relaxed);
        }
        effect
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Fault, u64)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Backend> FaultyBackend<B> {
    /// Wraps a backend.
    pub fn new(inner: B, faults: impl IntoIterator<Item = Fault>) -> Self {
        let all = faults.into_iter().map(|fault| (fault, 0)).collect();
        Self { inner, faults: Arc::new(Faults { all: Mutex::new(all), struck: AtomicU64::new(0) }) }
    }

    /// The backend inside, where nothing fails.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Adds a fault that counts from now on.
    pub fn add(&self, fault: Fault) {
        self.faults.lock().push((fault, 0));
    }

    /// Takes all faults away: the store is well again.
    pub fn heal(&self) {
        self.faults.lock().clear();
    }

    /// How often a fault struck. A test that wants a failure should make sure there was one.
    pub fn struck(&self) -> u64 {
        self.faults.struck.load(Ordering::Relaxed)
    }

    fn effect(&self, operation: Operation, name: &str) -> Option<Effect> {
        self.faults.effect(operation, name)
    }
}

/// An object that was opened: every read of it may be hit.
#[derive(Debug)]
struct FaultyParts {
    inner: Box<dyn Parts>,
    name: String,
    faults: Arc<Faults>,
}

impl Parts for FaultyParts {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        let effect = self.faults.effect(Operation::GetRange, &self.name);
        with_effect(effect, || self.inner.read(offset, buffer))?;
        spoil_buffer(effect, buffer)
    }
}

/// Does an operation with an effect that any operation can have.
fn with_effect<T>(
    effect: Option<Effect>,
    operation: impl FnOnce() -> Result<T, BackendError>,
) -> Result<T, BackendError> {
    match effect {
        Some(Effect::FailBefore(kind)) => Err(injected(kind)),
        Some(Effect::FailAfter(kind)) => {
            operation()?;
            Err(injected(kind))
        }
        _ => operation(),
    }
}

fn injected(kind: BackendErrorKind) -> BackendError {
    BackendError::new(kind, format!("{kind} (injected by a test)"))
}

/// Spoils what was read.
fn spoil(effect: Option<Effect>, bytes: Bytes) -> Bytes {
    match effect {
        Some(Effect::FlipBit(position)) if !bytes.is_empty() => {
            let mut spoiled = bytes.to_vec();
            let position = position % spoiled.len();
            spoiled[position] ^= 1 << (position % 8);
            spoiled.into()
        }
        Some(Effect::CutShort(missing)) => bytes.slice(..bytes.len().saturating_sub(missing)),
        _ => bytes,
    }
}

/// The same of a buffer, which holds as many bytes as were asked for: fewer are an error of the store.
fn spoil_buffer(effect: Option<Effect>, buffer: &mut [u8]) -> Result<(), BackendError> {
    match effect {
        Some(Effect::FlipBit(position)) if !buffer.is_empty() => {
            let position = position % buffer.len();
            buffer[position] ^= 1 << (position % 8);
            Ok(())
        }
        Some(Effect::CutShort(1..)) if !buffer.is_empty() => Err(injected(BackendErrorKind::Corrupt)),
        _ => Ok(()),
    }
}

impl<B: Backend> Backend for FaultyBackend<B> {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        let effect = self.effect(Operation::Put, &name.to_string());
        if effect == Some(Effect::Pretend) {
            return Ok(());
        }
        with_effect(effect, || self.inner.put(name, object))
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        let effect = self.effect(Operation::Get, &name.to_string());
        with_effect(effect, || self.inner.get(name)).map(|bytes| spoil(effect, bytes))
    }

    fn get_at_most(&self, name: &ObjectName, most: u64) -> Result<Bytes, BackendError> {
        let effect = self.effect(Operation::Get, &name.to_string());
        with_effect(effect, || self.inner.get_at_most(name, most)).map(|bytes| spoil(effect, bytes))
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        let effect = self.effect(Operation::GetRange, &name.to_string());
        with_effect(effect, || self.inner.get_range(name, offset, length)).map(|bytes| spoil(effect, bytes))
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        let effect = self.effect(Operation::GetRange, &name.to_string());
        with_effect(effect, || self.inner.get_range_into(name, offset, buffer))?;
        spoil_buffer(effect, buffer)
    }

    fn open_parts(&self, name: &ObjectName) -> Result<Option<Box<dyn Parts>>, BackendError> {
        let Some(inner) = self.inner.open_parts(name)? else { return Ok(None) };
        let (name, faults) = (name.to_string(), Arc::clone(&self.faults));
        let effect = self.effect(Operation::GetRange, &name);
        with_effect(effect, || Ok(Some(Box::new(FaultyParts { inner, name, faults }) as Box<dyn Parts>)))
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let effect = self.effect(Operation::List, prefix);
        let mut left = match effect {
            Some(Effect::TruncateList(count)) => count,
            _ => usize::MAX,
        };
        with_effect(effect, || {
            self.inner.list(prefix, &mut |name, size| match left.checked_sub(1) {
                Some(rest) => {
                    left = rest;
                    found(name, size)
                }
                None => Ok(()),
            })
        })
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        let effect = self.effect(Operation::Remove, &name.to_string());
        if effect == Some(Effect::Pretend) {
            return Ok(());
        }
        with_effect(effect, || self.inner.remove(name))
    }

    fn forget_cached(&self, name: &ObjectName) {
        self.inner.forget_cached(name);
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}
