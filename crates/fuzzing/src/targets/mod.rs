//! One file for each target; the function in it has its name.

mod arguments;
mod config;
mod directory;
mod header;
mod keyfile;
mod manifest;
mod parity;
mod path;
mod patterns;
mod repository;
mod segment;
mod slot;
mod time;
mod tree;
mod wire;

pub use self::{
    arguments::arguments,
    config::config,
    directory::directory,
    header::header,
    keyfile::keyfile,
    manifest::manifest,
    parity::parity,
    path::path,
    patterns::patterns,
    repository::{repository, repository_of},
    segment::segment,
    slot::slot,
    time::time,
    tree::tree,
    wire::wire,
};
