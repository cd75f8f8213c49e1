//! What the measurements at scale work on; `just --list` names the recipes, `docs/benchmarks.md` the figures.
//!
//! ```text
//! scale files DIR COUNT          many small files in a new folder
//! scale check DIR COUNT          the same files, compared
//! scale stream BYTES [SEED]      a stream to standard output
//! scale compare BYTES [SEED]     the same stream, compared with standard input
//! scale index DIR CHUNKS PACK    an index of so many chunks: so many in a pack
//! scale segments DIR COUNT       a repository of so many small segments and snapshots, opened
//! ```

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a program for figures"
)]

mod content;
mod figures;
mod files;
mod index;
mod segments;
mod stream;

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.replace(['_', ','], "").parse::<u64>();
    let outcome = match words[..] {
        ["files", folder, count] => number(count).map(|count| files::make(Path::new(folder), count)),
        ["check", folder, count] => number(count).map(|count| files::check(Path::new(folder), count)),
        ["stream", bytes] => number(bytes).map(|bytes| stream::write(bytes, 1)),
        ["compare", bytes] => number(bytes).map(|bytes| stream::compare(bytes, 1)),
        ["index", folder, chunks, in_pack] => number(chunks)
            .and_then(|chunks| Ok((chunks, number(in_pack)?)))
            .map(|(chunks, in_pack)| index::measure(Path::new(folder), chunks, in_pack)),
        ["segments", folder, count] => number(count).map(|count| segments::measure(Path::new(folder), count)),
        _ => {
            eprintln!(
                "usage: scale files|check DIR COUNT · stream|compare BYTES · segments DIR COUNT · index DIR CHUNKS PACK"
            );
            return ExitCode::from(2);
        }
    };
    match outcome.map_err(Into::into).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}
