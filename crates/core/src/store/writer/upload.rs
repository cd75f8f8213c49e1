//! The threads that finish packs and put them.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering, mpsc};

use super::{Shared, budget::Share, read_back::prove_directory};
use crate::{
    backend::ObjectName,
    error::{Error, Result},
    pack::PackBuilder,
    store::put_object,
};

/// A complete pack on its way.
pub(super) struct Upload {
    pub(super) pack: Arc<PackBuilder>,
    pub(super) share: Share,
}

/// Puts packs until the sender is gone. After a failure packs are dropped, so that nobody waits for them.
pub(super) fn run(shared: &Shared, uploads: &Mutex<mpsc::Receiver<Upload>>) {
    loop {
        let upload = uploads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Upload { pack, share }) = upload else { return };
        if shared.failure.check().is_ok()
            && let Err(error) = put_guarded(shared, &pack)
        {
            shared.failure.set(error);
            shared.budget.wake();
        }
        drop(share);
    }
}

/// A panic must not take a thread away unnoticed: the run would read on for hours.
fn put_guarded(shared: &Shared, pack: &PackBuilder) -> Result<()> {
    let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.put_pack(pack)));
    put.unwrap_or(Err(Error::Panicked { doing: "storing packs" }))
}

impl Shared {
    fn put_pack(&self, pack: &PackBuilder) -> Result<()> {
        let pack = pack.finish()?;
        // The only block of it was not what was meant, and is in another pack.
        if pack.directory.blocks.iter().all(|block| block.chunks.is_empty()) {
            return Ok(());
        }
        prove_directory(&self.codec, &pack)?;
        let name = ObjectName::Pack(pack.id);
        put_object(&*self.backend, &name, &pack.sealed)?;
        self.counters.packs.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(pack.sealed.as_bytes().len() as u64, Ordering::Relaxed);
        self.add_rows(pack)?;
        self.put_segment(false)
    }
}
