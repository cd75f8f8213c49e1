//! What can be changed of a snapshot that was taken: what people say of it, nothing that it holds.

use std::collections::BTreeSet;

use crate::{
    error::{Error, Result},
    snapshot::Manifest,
};

/// Changes of tags and description, made in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// These tags in place of all that are there.
    pub set_tags: Option<Vec<String>>,
    /// Tags that go; those that are not there are passed over.
    pub remove_tags: Vec<String>,
    /// Tags that come.
    pub add_tags: Vec<String>,
    /// Another description; an empty one takes it away.
    pub description: Option<String>,
}

impl Changes {
    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let tags = self.set_tags.iter().flatten().chain(&self.add_tags);
        if tags.into_iter().any(String::is_empty) {
            return Err(Error::Invalid { what: "a tag is empty".into() });
        }
        match self.add_tags.iter().find(|tag| self.remove_tags.contains(tag)) {
            Some(tag) => Err(Error::Invalid { what: format!("tag {tag} is both added and removed") }),
            None => Ok(()),
        }
    }

    /// The manifest with these changes.
    pub(super) fn applied_to(&self, manifest: &Manifest) -> Manifest {
        let mut tags: BTreeSet<&String> = self.set_tags.as_ref().unwrap_or(&manifest.tags).iter().collect();
        tags.retain(|tag| !self.remove_tags.contains(tag));
        tags.extend(&self.add_tags);
        let tags = tags.into_iter().cloned().collect();
        let description = self.description.as_ref().unwrap_or(&manifest.description).clone();
        Manifest { tags, description, ..manifest.clone() }
    }

    /// What was changed between two versions of a snapshot.
    pub(super) fn between(old: &Manifest, new: &Manifest) -> Self {
        let missing_in = |there: &[String], of: &[String]| -> Vec<String> {
            of.iter().filter(|tag| !there.contains(tag)).cloned().collect()
        };
        Self {
            set_tags: None,
            remove_tags: missing_in(&new.tags, &old.tags),
            add_tags: missing_in(&old.tags, &new.tags),
            description: (old.description != new.description).then(|| new.description.clone()),
        }
    }
}
