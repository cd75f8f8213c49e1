//! Whose the restored files are: what was asked for, as far as it is allowed, and what is not set without its owner.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lbak_core::tree::{Attributes, Entry, Node};
use rustix::{
    fs::{Gid, Uid},
    io::{Errno, Result},
};

use crate::{options::Ownership, people::People};

/// The set-uid and set-gid bits.
pub(crate) const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Whose files this process can make.
pub(crate) struct Owners {
    ownership: Ownership,
    people: People,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Entries that belong to somebody else.
    foreign: AtomicU64,
    /// Entries that were left without what would have given the power of an owner who was not asked for.
    powerless: AtomicU64,
    /// The target has kept a time to the second, where the snapshot has it more exactly.
    pub(crate) coarse_times: AtomicBool,
    /// Entries whose attributes the file system can not hold.
    pub(crate) without_attributes: AtomicU64,
}

impl Owners {
    pub(crate) fn new(ownership: Ownership) -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let people = if ownership == Ownership::Names { People::read() } else { People::default() };
        Self {
            ownership,
            people,
            uid,
            gid,
            foreign: AtomicU64::new(0),
            powerless: AtomicU64::new(0),
            coarse_times: AtomicBool::new(false),
            without_attributes: AtomicU64::new(0),
        }
    }

    /// The numbers that an entry gets; `None` when it belongs to whoever makes it.
    pub(crate) fn wanted(&self, entry: &Entry) -> Option<(u32, u32)> {
        match self.ownership {
            Ownership::Numbers => Some((entry.uid, entry.gid)),
            Ownership::Names => {
                let user = self.people.user(&entry.user).unwrap_or(entry.uid);
                Some((user, self.people.group(&entry.group).unwrap_or(entry.gid)))
            }
            Ownership::Nobody => None,
        }
    }

    /// What an entry gets nothing of because its owner was not asked for, and is another.
    pub(crate) fn left_out(&self, entry: &Entry) -> u32 {
        if self.ownership != Ownership::Nobody || matches!(entry.node, Node::Directory { .. }) {
            return 0;
        }
        let is_mine = |stored: u32, mine: u32, bit: u32| if stored == mine { 0 } else { bit };
        is_mine(entry.uid, self.uid, SET_USER) | is_mine(entry.gid, self.gid, SET_GROUP)
    }

    /// Sets the owner as far as that is allowed, and returns those bits that may not be set without it. The power of a capability
    /// comes from an owner too: it goes with the bit of the user.
    pub(crate) fn give(
        &self,
        entry: &Entry,
        unset: &mut Vec<String>,
        change: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
    ) -> u32 {
        let withheld = self.try_to_give(entry, unset, change);
        // On a directory the bit only says whose group new files get.
        let withheld = if matches!(entry.node, Node::Directory { .. }) { 0 } else { withheld };
        let (bits, has_capability) = (entry.mode & withheld, withheld & SET_USER != 0 && has_capability(entry));
        // Who asked for no owner asked for this, too: it is said once for all.
        if self.ownership == Ownership::Nobody {
            self.powerless.fetch_add(u64::from(bits != 0 || has_capability), Ordering::Relaxed);
            return withheld;
        }
        if bits != 0 {
            unset.push(format!("mode bits {bits:04o}: its owner could not be set"));
        }
        if has_capability {
            unset.push("attribute security.capability: its owner could not be set".to_owned());
        }
        withheld
    }

    /// Sets the owner as far as that is allowed, and returns the mode bits that ask for it.
    ///
    /// Only root gives files away; that others do not get theirs is told once, in the end. A set-uid program that belonged to
    /// somebody else would run with the rights of whoever restored it.
    fn try_to_give(
        &self,
        entry: &Entry,
        unset: &mut Vec<String>,
        change: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
    ) -> u32 {
        let Some((user, group)) = self.wanted(entry) else { return self.left_out(entry) };
        if user == u32::MAX || group == u32::MAX {
            unset.push("its owner has no valid number".into());
            return SET_USER | SET_GROUP;
        }
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
        if self.uid == 0 {
            return match change(Some(uid), Some(gid)) {
                Ok(()) => 0,
                // A file system without owners, or a namespace that knows no such number: for all of them alike.
                Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => {
                    self.foreign.fetch_add(1, Ordering::Relaxed);
                    SET_USER | SET_GROUP
                }
                Err(errno) => {
                    unset.push(format!("owner {user}:{group}: {errno}"));
                    SET_USER | SET_GROUP
                }
            };
        }
        let mut withheld = 0;
        if user != self.uid {
            withheld |= SET_USER;
        }
        // His own group too: in a set-gid directory a new file has got that directory's.
        if change(None, Some(gid)).is_err() {
            withheld |= SET_GROUP;
        }
        if withheld != 0 {
            self.foreign.fetch_add(1, Ordering::Relaxed);
        }
        withheld
    }

    /// What was asked for, and is to be said once in the end.
    pub(crate) fn note(&self) -> Option<String> {
        let powerless = self.powerless.load(Ordering::Relaxed);
        let what = "set-user-id and set-group-id bits and capabilities left out";
        (powerless > 0).then(|| format!("{what} of {powerless} entries: they are only set with their owner"))
    }

    /// What is to be said in the end.
    pub(crate) fn summary(&self) -> Vec<String> {
        let mut summary = Vec::new();
        let foreign = self.foreign.load(Ordering::Relaxed);
        if foreign > 0 {
            let why = if self.uid == 0 { "this target does not allow it" } else { "only root can give files away" };
            summary.push(format!("owner or group of {foreign} entries not set: {why}"));
        }
        let without = self.without_attributes.load(Ordering::Relaxed);
        if without > 0 {
            summary.push(format!("extended attributes of {without} entries not set: the file system has none"));
        }
        if self.coarse_times.load(Ordering::Relaxed) {
            summary.push("times are kept to the second here: the file system has no parts of seconds".to_owned());
        }
        summary
    }
}

/// The attribute that gives a program a part of what root may do.
pub(crate) const CAPABILITY: &[u8] = b"security.capability";

fn has_capability(entry: &Entry) -> bool {
    matches!(&entry.attributes, Attributes::Inline(pairs) if pairs.iter().any(|(name, _)| name == CAPABILITY))
}
