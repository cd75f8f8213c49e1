//! What was read wrongly once and rightly the second time: told at the end of a verb, each object once.

use lbak_core::{
    observe::{Event, Finding, Observer},
    repository::Repository,
};

/// Tells what was misread in this run of a verb; returns the names of the objects.
pub(crate) fn tell_misread(repository: &Repository, observer: &dyn Observer) -> Vec<String> {
    let misread = repository.misread().take();
    misread.iter().for_each(|name| observer.event(&Event::Finding(&Finding::misread(name))));
    misread.iter().map(ToString::to_string).collect()
}
