//! Small directories full of what is hard to keep: made up, written to disk, compared.
//!
//! [`tree`] is a proptest strategy for a [`Directory`]: odd names, sizes next to every boundary, holes, hard links,
//! symbolic links to anywhere, times before 1970, modes, extended attributes. [`write_tree`] makes it in an empty
//! directory. [`compare`] tells how two directories on disk differ.
//!
//! ```
//! use lbak_testkit::trees::{Directory, Node, compare, write_tree};
//!
//! let (original, copy) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! let mut model = Directory::default();
//! model.entries.insert(b"notes".to_vec(), Node::file("what was written"));
//! write_tree(&model, original.path())?;
//! write_tree(&model, copy.path())?;
//! assert_eq!(compare(original.path(), copy.path()), Vec::<String>::new());
//!
//! std::fs::write(copy.path().join("notes"), "what was changed")?;
//! assert!(compare(original.path(), copy.path()).contains(&"/notes: byte 9 differs".to_owned()));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Unix only.

mod compare;
mod model;
mod strategy;
mod write;

pub use compare::compare;
pub use model::{Content, Directory, File, Metadata, Node, Piece, Symlink, Time};
pub use strategy::{content, name, tree};
pub use write::write_tree;
