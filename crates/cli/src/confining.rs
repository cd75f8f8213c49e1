//! Gives the right to write anywhere else away, for good, where the kernel can take it (Linux: Landlock).
//!
//! ```text
//! restore --original, --to-command    not confined: they write where the snapshot came from, or not at all
//! restore … TARGET                    from the moment that TARGET is open: TARGET, the repository, the cache; nothing else
//! ```
//!
//! A restore keeps to its target by going through open directories, never through links. This is the second fence, for what nobody has
//! thought of: behind it a mistake in this program is an error and no file somewhere else. Reading is not confined.
//!
//! What Landlock binds is a thread and those that it starts; so every thread that restores is bound for itself. Those that only wait for
//! signals or draw the progress write no file and stay as they are.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use lbak::{BeforeWriting, Repository};

use crate::output::Output;

/// What a restore calls when its target is open: from then on only that, and what lies in `others`, can be written to.
///
/// Where the kernel can not do that the restore goes on as it is, and only `-v` tells.
pub(crate) fn to_target(repository: &Repository, others: Vec<PathBuf>, output: &Arc<Output>) -> BeforeWriting {
    let (repository, output) = (repository.clone(), Arc::clone(output));
    Arc::new(move |target| match confine(&repository, target, &others) {
        Ok(()) if output.is_very_verbose() => {
            output.note("from here on the kernel lets lbak write nowhere else (Landlock)");
        }
        Err(why) if output.is_verbose() => {
            output.note(&format!("the kernel can not keep lbak from writing elsewhere (Landlock, Linux 5.19): {why}"));
        }
        _ => {}
    })
}

fn confine(repository: &Repository, target: BorrowedFd<'_>, others: &[PathBuf]) -> Result<(), String> {
    // What is not there is not written to: the cache is only faster.
    let others: Vec<File> = others.iter().filter_map(|folder| File::open(folder).ok()).collect();
    let folders: Vec<BorrowedFd<'_>> = others.iter().map(AsFd::as_fd).chain([target]).collect();
    let fence = Fence::around(&folders)?;
    let first_trouble = OnceLock::new();
    let note = |closed: Result<(), String>| closed.unwrap_or_else(|why| drop(first_trouble.set(why)));
    repository.workers().broadcast(|_| note(fence.close()));
    note(fence.close());
    first_trouble.into_inner().map_or(Ok(()), Err)
}

/// Folders that can still be written to.
#[derive(Debug)]
pub struct Fence(system::Fence);

impl Fence {
    /// A fence around these folders and all below them.
    ///
    /// # Errors
    /// Why this kernel has none: there is no Landlock, it is turned off, or too old to let names move between folders.
    pub fn around(folders: &[BorrowedFd<'_>]) -> Result<Self, String> {
        system::Fence::around(folders).map(Self)
    }

    /// Puts the calling thread, and all that it starts from now on, behind it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn close(&self) -> Result<(), String> {
        self.0.close()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::BorrowedFd;

    use landlock::{
        ABI, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
        RulesetCreatedAttr, RulesetError, RulesetStatus,
    };

    #[derive(Debug)]
    pub(super) struct Fence(RulesetCreated);

    impl Fence {
        pub(super) fn around(folders: &[BorrowedFd<'_>]) -> Result<Self, String> {
            // The first version lets no name move between two folders, wherever they are: hard links could not be made.
            let needed = AccessFs::from_write(ABI::V2);
            let all: BitFlags<AccessFs> = needed | AccessFs::Truncate;
            let make = || -> Result<RulesetCreated, RulesetError> {
                let rules = Ruleset::default()
                    .set_compatibility(CompatLevel::HardRequirement)
                    .handle_access(needed)?
                    .set_compatibility(CompatLevel::BestEffort)
                    .handle_access(AccessFs::Truncate)?
                    .create()?;
                folders.iter().try_fold(rules, |rules, folder| rules.add_rule(PathBeneath::new(*folder, all)))
            };
            make().map(Self).map_err(|error| error.to_string())
        }

        pub(super) fn close(&self) -> Result<(), String> {
            let rules = self.0.try_clone().map_err(|error| error.to_string())?;
            let status = rules.restrict_self().map_err(|error| error.to_string())?;
            match status.ruleset {
                RulesetStatus::NotEnforced => Err("it did nothing".to_owned()),
                _ => Ok(()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{convert::Infallible, os::fd::BorrowedFd};

    #[derive(Debug)]
    pub(super) struct Fence(Infallible);

    impl Fence {
        pub(super) fn around(_: &[BorrowedFd<'_>]) -> Result<Self, String> {
            Err("it is Linux's".to_owned())
        }

        pub(super) fn close(&self) -> Result<(), String> {
            match self.0 {}
        }
    }
}
