//! A second reader of the stored format, and what is done with it. `reader` stands alone: it begins in `reader/mod.rs`.
//!
//! `outcomes` reads what is stored about a session beyond what a restore needs, `index` checks that the index says what
//! the packs say, `nodes` that trees and lists are as their inner nodes say, `listing` makes the lines that the tests compare, `tests` and `core_agrees` are the tests, and `promise`
//! keeps the reader small and on its own.

mod reader;

mod outcomes;

mod index;
mod listing;
mod nodes;

mod core_agrees;
mod promise;
mod tests;
