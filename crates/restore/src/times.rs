//! Times of change on file systems that keep them less exactly than the snapshot has them.
//!
//! ext4 with small inodes keeps whole seconds. Nothing tells so beforehand, and a dry run can not try; but the time of status, which
//! nobody can set, is of whole seconds there for every file, and nowhere else.

use std::sync::atomic::Ordering;

use lbak_core::metadata::Timestamp;
use rustix::fs::Stat;

use crate::{system, target::Target};

/// Tells whether what is there has this time, as exactly as its file system keeps it.
pub(crate) fn is_same(target: &Target, stat: &Stat, wanted: Timestamp) -> bool {
    let found = system::modified(stat);
    let is_coarse = found != wanted && is_kept_to_the_second(found, system::changed(stat), wanted);
    if is_coarse {
        target.owners.coarse_times.store(true, Ordering::Relaxed);
    }
    found == wanted || is_coarse
}

/// Tells whether what is there is older than this.
pub(crate) fn is_older(target: &Target, stat: &Stat, wanted: Timestamp) -> bool {
    !is_same(target, stat, wanted) && system::modified(stat) < wanted
}

fn is_kept_to_the_second(found: Timestamp, changed: Timestamp, wanted: Timestamp) -> bool {
    found.seconds == wanted.seconds && found.nanoseconds == 0 && changed.nanoseconds == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_the_system_itself_keeps_seconds_are_they_enough() {
        let time = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
        assert!(is_kept_to_the_second(time(5, 0), time(9, 0), time(5, 7)));
        assert!(!is_kept_to_the_second(time(5, 0), time(9, 1), time(5, 7)), "somebody has set it so");
        assert!(!is_kept_to_the_second(time(5, 6), time(9, 0), time(5, 7)));
        assert!(!is_kept_to_the_second(time(6, 0), time(9, 0), time(5, 7)));
    }
}
