//! `lbak cat`.

use clap::{Args, ValueEnum};

/// Show what one object of the repository holds
///
/// Prints the decoded object as JSON, a chunk as it is. For looking into a repository, not for scripts: what is shown
/// follows the stored format (docs/format.md).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lbak cat config
  lbak cat snapshot latest
  lbak cat tree 3fa2b1c0
  lbak cat pack packs/3f/3fa2b1c0")]
pub(crate) struct CatArguments {
    /// What it is
    #[arg(value_enum)]
    pub(crate) kind: ObjectKind,
    /// Its id or the beginning of it, with or without the folder before it; for a snapshot also `latest` and `latest~N`
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// The kinds of objects and chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectKind {
    /// What was fixed when the repository was made
    Config,
    /// What is recorded of a snapshot, by the snapshot's id
    Snapshot,
    /// The outcome of a session, by the session's id: a snapshot, or that it was closed
    Manifest,
    /// A writer's announcement
    Session,
    /// The clear part of a key slot
    Key,
    /// What a pack says it holds
    Pack,
    /// An index segment: its size and the packs it names
    Segment,
    /// A node of a directory
    Tree,
    /// A node of the list of a large file's pieces
    List,
    /// The bytes of a piece of a file
    Chunk,
    /// That a snapshot was forgotten, by its session's id
    Forgotten,
    /// That a pack was found damaged
    Damaged,
    /// What a round of reclaiming may remove
    Mark,
    /// What a round of reclaiming does remove
    Removals,
    /// A finished round of reclaiming
    Fin,
    /// Which packs were read when, by its number
    Reading,
    /// Damaged records that a repair has set aside, by its number
    Aside,
    /// Which packs parity is of, and how much of them it can give back
    Parity,
}
