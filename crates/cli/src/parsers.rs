//! What people and programs write, read by the functions that the commands use: for those who try them with any bytes.

use std::{ffi::OsString, time::Duration};

use jiff::tz::TimeZone;
use lbak::{Manifest, Timestamp};

use crate::{
    arguments,
    command_line::{self, Refused},
    environment::Environment,
    exit, json, sizes, times,
};

/// Reads the words of a command line, the name of the program first. What came of it is told in words.
///
/// # Errors
/// What the user is told.
pub fn arguments(words: &[OsString]) -> Result<String, String> {
    command_line::read(words).map(|arguments| format!("{arguments:?}")).map_err(|refused| match refused {
        Refused::Hint(text) => text,
        Refused::Usage(error) | Refused::Shown(error) => error.render().to_string(),
    })
}

/// Reads the variables of an environment.
///
/// # Errors
/// What the user is told.
pub fn environment(variables: Vec<(OsString, OsString)>) -> Result<(), String> {
    Environment::from_variables(variables.into_iter()).map(drop).map_err(|error| exit::one_line(&error))
}

/// Reads a time, in a zone as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
pub fn time(text: &str, now: Timestamp, zone: &str) -> Option<Timestamp> {
    times::parse_in(text, now, &TimeZone::posix(zone).ok()?)
}

/// Writes a time for programs.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    times::rfc3339(time)
}

/// Writes how far two times are apart.
#[must_use]
pub fn gap(from: Timestamp, to: Timestamp) -> String {
    times::gap(from, to)
}

/// Reads how long to wait.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    arguments::duration(text).ok()
}

/// Reads a size.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    sizes::parse(text).ok()
}

/// Writes a size for people.
#[must_use]
pub fn shown_size(bytes: u64) -> String {
    sizes::bytes(bytes)
}

/// Writes the line of a snapshot for programs.
///
/// # Panics
/// When it can not be written, which would be a defect.
#[must_use]
pub fn json_line(manifest: &Manifest, now: Timestamp) -> String {
    serde_json::to_string(&json::Snapshot::of(manifest, now)).expect("it has text for keys and no number that is none")
}

/// Makes what would drive a terminal visible.
#[must_use]
pub fn visible(text: &str) -> String {
    crate::tables::visible(text).into_owned()
}
