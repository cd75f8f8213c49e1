//! Key slots: listed, added, removed. Never edited: a new password is a new slot, proven before the old one goes.

use super::{
    Repository,
    init::{NewSlot, put_new_slot},
    open::{MOST_SLOTS, slot_ids},
};
use crate::{
    backend::ObjectName,
    codec::slot::{SlotForm, SlotRecord, open_slot, read_head},
    error::{Error, Result},
    id::SlotId,
    keys::PasswordCost,
    store::{get_listed, get_object},
};

/// The slot that a repository was opened with: only of this one is known what is sealed in it.
#[derive(Clone, Debug)]
pub struct OpenedSlot {
    /// Its id.
    pub id: SlotId,
    /// What its owner calls it.
    pub label: String,
    /// When it was made, by the clock of who made it.
    pub created_seconds: i64,
}

impl OpenedSlot {
    pub(super) fn new(id: SlotId, record: &SlotRecord) -> Self {
        Self { id, label: record.label.clone(), created_seconds: record.created_seconds }
    }
}

/// A slot, as far as it can be told without what opens it.
#[derive(Debug)]
pub struct SlotInfo {
    /// Its id.
    pub id: SlotId,
    /// What is known of it.
    pub state: SlotState,
}

/// What is known of a slot.
#[derive(Debug)]
pub enum SlotState {
    /// Its checksum holds.
    Sound {
        /// What opens it.
        form: SlotForm,
        /// What trying a password costs.
        cost: PasswordCost,
    },
    /// It does not open with anything.
    Damaged(Error),
}

impl Repository {
    /// The slot that it was opened with; of one that was made just now, the first.
    #[must_use]
    pub fn opened_by(&self) -> &OpenedSlot {
        &self.0.opened_by
    }

    /// Lists the key slots.
    ///
    /// # Errors
    /// [`Error::Store`] when they can not be listed, or the store does not give one of them: that says nothing of it.
    pub fn slots(&self) -> Result<Vec<SlotInfo>> {
        let ids = slot_ids(&*self.0.backend)?;
        ids.into_iter()
            .map(|(id, size)| {
                let head =
                    get_listed(&*self.0.backend, &ObjectName::Slot(id), size).and_then(|stored| read_head(id, &stored));
                let state = match head {
                    Ok(head) if head.repository != self.id() => SlotState::Damaged(Error::damaged(
                        ObjectName::Slot(id),
                        format!("it belongs to repository {}", head.repository),
                    )),
                    Ok(head) => SlotState::Sound { form: head.form, cost: head.cost },
                    Err(error) if matches!(error, Error::Store { .. }) && !error.is_damage() => return Err(error),
                    Err(error) => SlotState::Damaged(error),
                };
                Ok(SlotInfo { id, state })
            })
            .collect()
    }

    /// Adds a slot and proves that it opens.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when there are as many as will be tried; [`Error::Damaged`] when what was stored does not open.
    pub fn add_slot(&self, slot: &NewSlot) -> Result<SlotId> {
        let backend = &*self.0.backend;
        if slot_ids(backend)?.len() >= MOST_SLOTS {
            return Err(Error::TooLarge { what: "the number of key slots".into(), limit: format!("{MOST_SLOTS}") });
        }
        let record = SlotRecord {
            masters: self.codec().keys().masters().iter().map(|(epoch, secret)| (*epoch, *secret.expose())).collect(),
            label: slot.label.clone(),
            created_seconds: self.now().seconds,
            config: self.0.config_bytes.clone(),
        };
        let id = put_new_slot(backend, self.id(), slot, &record)?;
        let stored = get_object(backend, &ObjectName::Slot(id))?;
        match open_slot(id, &stored, &slot.credential)? {
            Some(read) if read == record => Ok(id),
            _ => Err(Error::damaged(ObjectName::Slot(id), "it does not open with what it was made for")),
        }
    }

    /// Removes a slot. Never the last sound one.
    ///
    /// This does not revoke: who copied the slot and knows its password has the master secret.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such slot or no other sound one.
    pub fn remove_slot(&self, id: SlotId) -> Result<()> {
        let slots = self.slots()?;
        if !slots.iter().any(|slot| slot.id == id) {
            return Err(Error::Invalid { what: format!("there is no key slot {id}") });
        }
        let is_other_sound = |slot: &SlotInfo| slot.id != id && matches!(slot.state, SlotState::Sound { .. });
        if !slots.iter().any(is_other_sound) {
            return Err(Error::Invalid { what: "this is the last sound key slot: add another one first".into() });
        }
        let name = ObjectName::Slot(id);
        self.0.backend.remove(&name).map_err(|error| Error::store("remove", name, error))
    }
}
