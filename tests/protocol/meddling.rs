//! A store to which something is done just before a snapshot is committed.

use std::sync::Arc;

use lbak_core::{backend::Backend, id::SessionId, repository::Repository};
use lbak_testkit::MeddlingBackend;

use crate::house::open;

pub(crate) fn meddled(
    inner: &Arc<dyn Backend>,
    meddle: impl FnOnce(&dyn Backend, SessionId) + Send + 'static,
) -> Repository {
    let backend = MeddlingBackend::new(Arc::clone(inner));
    backend.before_commit(move |inner, session| meddle(&**inner, session));
    open(Arc::new(backend))
}
