//! Looks ahead, below a directory that is only on the way: it is shown when something in it is.
//!
//! What was learned of the directories that were met is kept until their turn comes, so that no part of a tree is looked
//! through more than once before it is walked.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{
    super::{Found, SourceError, SourceErrorKind},
    directory::Survey,
    judge::{Judgement, Level, Verdict},
};
use crate::patterns::Tally;

/// Directories of which it is known, before they are listed, whether they lead to something.
#[derive(Default)]
pub(super) struct Verdicts(Mutex<HashMap<Vec<u8>, bool>>);

impl Verdicts {
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, path: &[u8]) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path)
    }

    /// Keeps what is known of all that was met: what is below something that leads nowhere will never be asked about.
    fn keep(&self, met: Vec<Met>) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The first is the one that was asked about.
        for (place, met) in met.into_iter().enumerate() {
            verdicts.extend(met.dead_ends.into_iter().map(|path| (path, false)));
            if place > 0 {
                verdicts.insert(met.level.place.path().to_vec(), true);
            }
        }
    }
}

/// A directory on the way down.
struct Met {
    level: Level,
    survey: Survey,
    /// Directories in it that lead nowhere.
    dead_ends: Vec<Vec<u8>>,
    /// What patterns match in it: counted when it leads nowhere, for otherwise it is listed once more.
    tally: Tally,
}

impl Level {
    /// Tells whether a directory of this one, which is only on the way, leads to something that is shown.
    ///
    /// What can not be read does: whoever walks meets the same trouble there and tells of it. So does everything once the
    /// walk is to be stopped.
    pub(super) fn leads_to_something(&self, found: &Found) -> bool {
        if let Some(leads) = self.walk.verdicts.take(&self.place.path_of(&found.name)) {
            return leads;
        }
        let mut way = match self.meet(found) {
            Ok(met) => vec![met],
            Err(error) => return is_trouble(&error),
        };
        while let Some(last) = way.last_mut() {
            let leads = match last.survey.next() {
                None => {
                    let dead_end = way.pop();
                    if let Some(dead_end) = &dead_end {
                        self.walk.count_all(&dead_end.tally);
                    }
                    if let Some(above) = way.last_mut() {
                        above.dead_ends.extend(dead_end.map(|met| met.level.place.path().to_vec()));
                    }
                    false
                }
                Some(Err(unlisted)) => {
                    let (exclusion, matched) = last.level.judge_unlisted(&unlisted);
                    last.tally.count(&matched);
                    is_trouble(&unlisted.error) && exclusion.is_none()
                }
                Some(Ok(found)) => {
                    let Judgement { verdict, matched } = last.level.judge(&found);
                    last.tally.count(&matched);
                    match verdict {
                        Verdict::Shown | Verdict::Emptied(_) => true,
                        Verdict::Hidden(_) => false,
                        Verdict::OnTheWay => match last.level.meet(&found) {
                            Ok(met) => {
                                way.push(met);
                                false
                            }
                            Err(error) => is_trouble(&error),
                        },
                    }
                }
            };
            if leads || self.walk.cancellation.is_cancelled() {
                self.walk.verdicts.keep(way);
                return true;
            }
        }
        false
    }

    fn meet(&self, found: &Found) -> Result<Met, SourceError> {
        let level = self.child(found, false)?;
        let survey = level.survey()?;
        Ok(Met { level, survey, dead_ends: Vec::new(), tally: Tally::default() })
    }
}

/// Whoever walks will meet it and tell of it.
fn is_trouble(error: &SourceError) -> bool {
    error.kind != SourceErrorKind::Vanished
}
