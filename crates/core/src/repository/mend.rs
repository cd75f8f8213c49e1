//! Puts `config` back from the copy that every key slot holds.

use bytes::Bytes;

use super::{Repository, config::Config};
use crate::{
    backend::{ObjectName, Sealed},
    error::{BackendErrorKind, Error, Result},
    store::{LARGEST_WHOLE, put_object},
};

impl Repository {
    /// Tells what is wrong with the stored `config`: nothing when it is equal to the copy in the slot that opened this repository.
    ///
    /// # Errors
    /// Trouble with the store that is no damage.
    pub fn config_damage(&self) -> Result<Option<Error>> {
        let stored = match self.stored_config() {
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

    /// Writes `config` anew when it is missing or damaged; tells whether that was so. Whoever is stopped in between leaves no `config`,
    /// and the next call writes it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is a sound `config` that is another than the slot's copy: it is left alone.
    /// [`Error::Store`].
    pub fn mend_config(&self) -> Result<bool> {
        let backend = &*self.0.backend;
        let copy = Sealed::from_stored(&ObjectName::Config, self.0.config_bytes.clone().into())?;
        if self.config_damage()?.is_none() {
            return Ok(false);
        }
        match self.stored_config() {
            Ok(Some(stored)) if Config::open(&self.0.codec, &stored).is_ok() => {
                let what = "there is a sound config that differs from the copy in the key slot: nothing was changed";
                return Err(Error::Invalid { what: what.into() });
            }
            Ok(None) => {}
            Err(error) if !error.is_damage() => return Err(error),
            _ => backend.remove(&ObjectName::Config).map_err(|error| Error::store("remove", "config", error))?,
        }
        put_object(backend, &ObjectName::Config, &copy)?;
        Ok(true)
    }

    /// The bytes of `config`; none when it is missing.
    fn stored_config(&self) -> Result<Option<Bytes>> {
        match self.0.backend.get_at_most(&ObjectName::Config, LARGEST_WHOLE) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) if error.kind == BackendErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::store("read", "config", error)),
        }
    }
}
