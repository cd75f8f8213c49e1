//! Puts `config` back from the copy that every key slot holds.
//!
//! It is the one object that a repair replaces: everybody looks for it under its one name. What is damaged is kept first, so that nothing is lost that
//! somebody could still make sense of:
//!
//! ```text
//! damaged twice → its bytes into aside/<n> → config removed → the copy put as config
//! ```
//!
//! Whoever is stopped in between leaves a damaged `config`, or none; every slot opens the repository all the same, and the next call ends it.

use super::{
    Repository,
    config::{Config, stored_config},
};
use crate::{
    backend::{ObjectName, Sealed},
    error::{BackendErrorKind, Error, Result},
    snapshot::{AsideObject, REPLACED_CONFIG, read_aside, set_aside},
    store::{list_names, put_object},
};

/// Bytes of a damaged `config` that are kept. A sound one has some 200.
const KEPT_BYTES: u64 = 4096;

impl Repository {
    /// Tells what is wrong with the stored `config`: nothing when it is equal to the copy in the slot that opened this repository.
    ///
    /// # Errors
    /// Trouble with the store that is no damage.
    pub fn config_damage(&self) -> Result<Option<Error>> {
        let stored = match stored_config(&*self.0.backend) {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(Some(Error::damaged("config", "it is missing"))),
            Err(error) => return if error.is_damage() { Ok(Some(error)) } else { Err(error) },
        };
        if stored[..] == self.0.config_bytes[..] {
            return Ok(None);
        }
        let unopened = Config::open(&self.0.codec, &stored).err();
        Ok(Some(unopened.unwrap_or_else(|| Error::damaged("config", "it differs from the copy in the key slot"))))
    }

    /// Writes `config` anew when it is missing or damaged; tells whether that was so. The first 4,096 bytes of one that is damaged are kept in a
    /// record of what was set aside, in which `by` says for people who did that.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is a sound `config` that is another than the slot's copy: it is left alone.
    /// [`Error::Store`]; whatever was done until then, the next call does the rest.
    pub fn mend_config(&self, by: &str) -> Result<bool> {
        let backend = &*self.0.backend;
        let copy = Sealed::from_stored(&ObjectName::Config, self.0.config_bytes.clone().into())?;
        if self.config_damage()?.is_none() {
            return Ok(false);
        }
        // Once more, from where it lies: what was read may have been spoiled on its way.
        backend.forget_cached(&ObjectName::Config);
        let Some(damage) = self.config_damage()? else { return Ok(false) };
        match stored_config(backend) {
            Ok(Some(stored)) if Config::open(&self.0.codec, &stored).is_ok() => {
                let what = "there is a sound config that differs from the copy in the key slot: nothing was changed";
                return Err(Error::Invalid { what: what.into() });
            }
            Ok(None) => {}
            Err(error) if !error.is_damage() => return Err(error),
            _ => {
                self.keep_config(&damage, by)?;
                backend.remove(&ObjectName::Config).map_err(|error| Error::store("remove", "config", error))?;
            }
        }
        put_object(backend, &ObjectName::Config, &copy)?;
        Ok(true)
    }

    /// Puts a record of a damaged `config`.
    fn keep_config(&self, damage: &Error, by: &str) -> Result<()> {
        let (backend, codec) = (&*self.0.backend, &self.0.codec);
        let what = format!("{damage}; replaced by the copy in the key slot; {}", self.config_as_it_was()?);
        // Whoever was stopped after this has kept it.
        if read_aside(backend, codec)?.get(REPLACED_CONFIG) == Some(&what) {
            return Ok(());
        }
        let object = AsideObject { name: REPLACED_CONFIG.into(), what };
        set_aside(backend, codec, by.into(), self.now(), vec![object])
    }

    /// What stands under the name of `config`, in words.
    fn config_as_it_was(&self) -> Result<String> {
        let backend = &*self.0.backend;
        let listed = list_names(backend, "config")?.into_iter().find(|(name, _)| *name == ObjectName::Config);
        let Some((_, size)) = listed else { return Ok("what had its name was no object".into()) };
        match backend.get_range(&ObjectName::Config, 0, size.min(KEPT_BYTES)) {
            Ok(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(format!("it had {size} bytes, the first {} in hex: {hex}", bytes.len()))
            }
            Err(error) if error.kind == BackendErrorKind::Corrupt => {
                Ok(format!("it had {size} bytes, which could not be read: {error}"))
            }
            Err(error) => Err(Error::store("read", "config", error)),
        }
    }
}
