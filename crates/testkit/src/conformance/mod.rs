//! Does a backend keep its [contract](lbak_core::backend)?
//!
//! [`check`] runs every rule against a fresh, empty store. A test suite that wants one test per rule takes them from
//! [`RULES`]. What can not be checked from here is that objects survive a loss of power.
//!
//! About 1,700 objects are written, the largest of 5 MiB; a store in a directory takes some seconds.

mod listing;
mod objects;
mod races;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use lbak_core::{
    backend::{Backend, BackendError, BackendErrorKind, ObjectName},
    id::SessionId,
};

use crate::objects::session_id;

/// Checks a backend against the whole contract. `make` gives a fresh, empty store for each rule.
///
/// # Panics
/// With the name of the first rule that is broken and how.
pub fn check(make: &mut dyn FnMut() -> Box<dyn Backend>) {
    for rule in &RULES {
        rule.check(&*make());
    }
}

/// One sentence of the contract.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What it says, as the name of a test.
    pub name: &'static str,
    run: fn(&dyn Backend) -> Outcome,
}

/// How a rule was broken, if it was.
type Outcome<T = ()> = Result<T, String>;

impl Rule {
    /// Checks it against an empty store.
    ///
    /// # Panics
    /// With its name, when it is broken.
    pub fn check(&self, backend: &dyn Backend) {
        // A rule only reads the store; one that panicked is reported and not used again.
        let broken = match catch_unwind(AssertUnwindSafe(|| (self.run)(backend))) {
            Ok(Ok(())) => return,
            Ok(Err(how)) => how,
            Err(_) => "it panicked".to_owned(),
        };
        panic!("{} breaks the rule `{}`: {broken}", backend.describe().place, self.name);
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.name)
    }
}

macro_rules! rules {
    ($($room:ident: $($name:ident),+;)+) => {
        [$($(Rule { name: stringify!($name), run: $room::$name }),+),+]
    };
}

/// Every rule, simple ones first.
pub const RULES: [Rule; 21] = rules! {
    objects:
        a_store_says_where_it_is,
        what_was_put_is_read_back,
        every_name_of_the_format_can_be_stored,
        a_missing_object_is_not_found,
        a_taken_name_is_refused_and_keeps_its_bytes,
        a_taken_name_is_refused_even_for_equal_bytes,
        ranges_are_exact,
        a_range_past_the_end_is_corrupt,
        a_callers_buffer_is_filled_with_the_range,
        a_removed_object_is_gone_and_nothing_else,
        removing_what_is_not_there_is_no_error,
        a_removed_name_can_be_put_again;
    listing:
        an_empty_store_lists_nothing,
        a_list_has_names_and_true_sizes,
        a_list_follows_its_prefix,
        a_list_of_many_objects_is_complete,
        an_error_of_the_listener_ends_the_list;
    races:
        of_writers_that_race_exactly_one_wins,
        a_reader_never_sees_part_of_an_object,
        a_read_after_a_change_reflects_it,
        a_list_during_changes_has_all_that_stays;
};

/// Leaves a rule with its reason when something does not hold.
macro_rules! ensure {
    ($holds:expr, $($reason:tt)+) => {
        if !$holds {
            return Err(format!($($reason)+));
        }
    };
}
use ensure;

fn session(number: u64) -> ObjectName {
    ObjectName::Session(session_id(number))
}

/// A session in a group of its own, for lists by the beginning of a name.
fn session_in_group(group: [u8; 2], number: u64) -> ObjectName {
    let mut id: SessionId = session_id(number);
    id.0[..2].copy_from_slice(&group);
    ObjectName::Session(id)
}

/// Takes the value of an operation that has to succeed.
fn done<T>(what: &str, name: impl fmt::Display, result: Result<T, BackendError>) -> Outcome<T> {
    result.map_err(|error| format!("{what} {name} failed: {error}"))
}

/// Makes sure that an operation failed, in this way.
fn fails<T>(
    what: &str,
    name: impl fmt::Display,
    result: Result<T, BackendError>,
    expected: BackendErrorKind,
) -> Outcome {
    match result {
        Err(error) if error.kind == expected => Ok(()),
        Err(error) => Err(format!("{what} {name} should fail with {expected:?}, not {:?}: {error}", error.kind)),
        Ok(_) => Err(format!("{what} {name} should fail with {expected:?} and did not")),
    }
}

/// Everything under a prefix, sorted.
fn listed(backend: &dyn Backend, prefix: &str) -> Outcome<Vec<(String, u64)>> {
    let mut listed = Vec::new();
    let result = backend.list(prefix, &mut |name, size| {
        listed.push((name.to_owned(), size));
        Ok(())
    });
    done("list", format_args!("{prefix:?}"), result)?;
    listed.sort();
    Ok(listed)
}
