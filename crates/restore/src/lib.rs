//! The verb `restore`, `list`, which shows what there is to restore, and `dump`, which streams it.
//!
//! ```text
//! walk the trees (a thread of its own): make directories → fill a window: files and the chunks they are made of
//!   → window: where is each chunk? → sort by pack and offset → few large reads
//!     → workers (rayon): open a block → hash each chunk → write it where it belongs
//!       → who writes the last piece of a file gives it its metadata and closes it
//!   → hard links → the next window
//! → a directory gets its metadata when nothing in it is missing any more → sync
//! ```
//!
//! Memory is that of two windows and of the workers' blocks, however large the snapshot or one of its files; only names
//! of files with several hard links are kept until the end.
//!
//! What is damaged costs the files that have a chunk in it and nothing else: they are withheld, named as
//! [`Lost`](lbak_core::observe::FindingKind::Lost) and counted; everything else is restored (rule I8). Every chunk is
//! hashed before a byte of it is written (rule I14).
//!
//! Nothing is ever written outside of the target: every step is one name in one open directory, links are not followed,
//! and what is there is changed only when that was asked for ([`InPlace`]). Nothing half is ever seen under its name.

mod announced;
mod attributes;
mod base;
mod begin;
mod directory;
mod dump;
mod existing;
mod extra;
mod file;
mod findings;
mod handles;
mod holes;
mod inherited;
mod links;
mod list;
mod lost;
mod metadata;
mod named;
mod node;
mod options;
mod owners;
mod people;
mod plan;
mod restore;
mod roots;
mod runs;
mod spared;
mod system;
mod target;
mod temporary;
mod times;
mod untouched;
mod window;
mod write;

pub use dump::{DumpCheck, DumpForm, DumpOptions, DumpReport, dump, dump_to_command};
pub use list::{ListOptions, ListReport, ListedEntry, list};
pub use options::{
    ActionCounts, BeforeWriting, Delete, InPlace, Overwrite, Ownership, Place, RestoreOptions, RestoreReport,
};
pub use restore::restore;
pub use untouched::lies_in;
