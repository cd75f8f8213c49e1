//! Features of a newer version.

use std::sync::Arc;

use lbak_core::{
    backend::ObjectName,
    codec::Kind,
    error::Error,
    repository::{OpenOptions, Repository},
    snapshot::LineageKind,
};

use crate::{
    house::{Tree, credential, init, memory, open},
    objects::put,
};

#[test]
fn features_of_a_newer_version_are_refused_by_name() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    put(&repository, &ObjectName::Feature("c-later".into()), Kind::Feature, b"");
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    put(&repository, &ObjectName::Feature("w-later".into()), Kind::Feature, b"");
    let error = tree.snapshot(&open(Arc::clone(&backend)), LineageKind::Full).unwrap_err();
    assert!(matches!(&error, Error::Newer { needs, .. } if needs == "features/w-later"), "{error}");
    put(&repository, &ObjectName::Feature("r-later".into()), Kind::Feature, b"");
    let error = Repository::open(backend, &credential(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Newer { needs, .. } if needs == "features/r-later"), "{error}");
}
