//! The core of lbak: chunks, packs, index, trees, snapshots, and the verb [`capture::snapshot`].
//!
//! Most users want the facade crate `lbak`, which adds restore and verify. This crate does not print, read the
//! environment or configuration, exit, or know async or networks. The rooms, each using only those above it:
//!
//! ```text
//! id  error  observe                      names, trouble, progress
//! metadata  chunk  wire  backend  cache   times and owners, cuts, records, objects, a client's own copies
//! keys                                    secrets and what follows from them
//! codec                                   the one door between plain and stored bytes
//! pack  index  parity                     blocks in packs; chunk id → location; recovery sectors of packs
//! store                                   chunks in and out of a backend
//! tree  source                            directories as stored; what can be backed up
//! snapshot                                manifests, lineage, selection
//! repository                              init, open, sessions, commit
//! capture  amend                          the verbs `snapshot` and `amend`
//! ```

pub mod id;

pub mod error;

pub mod observe;

pub mod metadata;

pub mod patterns;

pub mod chunk;

pub mod wire;

pub mod backend;

pub mod cache;

pub mod keys;

pub mod codec;

pub mod pack;

pub mod index;

pub mod parity;

pub mod store;

pub mod tree;

pub mod source;

pub mod snapshot;

pub mod repository;

pub mod capture;

pub mod amend;
pub mod browse;

/// The one of `lbak-testkit`, which uses this library: a dependency on it would go in a circle.
#[cfg(test)]
#[path = "../../testkit/src/not_run.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
mod not_run;
