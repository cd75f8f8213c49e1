//! A reader written from `docs/format.md` alone: it shares no code with lbak and proves that the page is enough to get at
//! one's data when lbak is gone.
//!
//! The tour, from a folder to files:
//!
//! 1. `fields` takes integers, varints and lists off the front of some bytes.
//! 2. `seal` knows headers, keys and slots: a password or key file opens a slot, the slot gives the master secrets, these
//!    open every object.
//! 3. `repository` reads the directories of all packs into a map from chunk id to place, reads chunks and checks them
//!    against their ids, and finds the snapshots. It does without the index.
//! 4. `tree` reads directories and the contents of files from chunks.
//! 5. `restore` writes a snapshot to a folder.

pub(crate) mod fields;

pub(crate) mod seal;

pub(crate) mod repository;

pub(crate) mod tree;

pub(crate) mod restore;
