//! What a test could not try where it runs: a machine without FUSE, a user who may not mount anything. Without a word it would read as passed.
//!
//! A test harness keeps to itself what a passed test prints, so the words go to a file as well. Core's own tests use this file too.

use std::{fmt::Display, fs::File, io::Write};

/// Says that a test, or a part of it, did not run here, and why: `not_run("order of syncing: there is no strace")`.
///
/// Prints one line to standard error. Where `LBAK_NOT_RUN` names a file, the line is appended to it as well, with the name of the test (which
/// is that of its thread).
///
/// # Panics
/// When `LBAK_MUST_RUN` is set: where everything can be tried, everything must be. When that file can not be written.
#[allow(clippy::print_stderr, reason = "whoever reads the log of a test is told that it tested nothing")]
pub fn not_run(what: impl Display) {
    let what = what.to_string().replace('\n', " ");
    eprintln!("NOT RUN: {what}");
    if let Some(path) = std::env::var_os("LBAK_NOT_RUN") {
        let thread = std::thread::current();
        // In one call: tests that run at the same time append to the same file.
        let line = format!("NOT RUN: {}: {what}\n", thread.name().unwrap_or("a thread without a name"));
        // Whoever may write a file that is there may not always make one in its folder.
        let file = File::options().append(true).open(&path);
        let file = file.or_else(|_| File::options().create(true).append(true).open(&path));
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("cannot write {}, which LBAK_NOT_RUN names: {error}", path.display()));
    }
    assert!(std::env::var_os("LBAK_MUST_RUN").is_none(), "it must run, as LBAK_MUST_RUN says, and can not: {what}");
}
