//! What a password costs to try.

use argon2::{Algorithm, Argon2, Params, Version};

use super::secret::Secret;
use crate::error::{Error, Result};

/// Cost of Argon2id (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes; about 0.2 s.
    fn default() -> Self {
        Self { memory_kib: 64 << 10, passes: 3, lanes: 4 }
    }
}

impl PasswordCost {
    /// The least that Argon2 can do: for tests, where nobody guesses.
    pub const CHEAPEST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Most memory that a slot may ask for: a hostile slot must not exhaust the machine that opens it.
    const MOST_MEMORY_KIB: u32 = 2 << 20;
    const MOST_PASSES: u32 = 16;
    const MOST_LANES: u32 = 16;

    /// Tells whether a slot with this cost may be tried.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        (8..=Self::MOST_MEMORY_KIB).contains(&self.memory_kib)
            && (1..=Self::MOST_PASSES).contains(&self.passes)
            && (1..=Self::MOST_LANES).contains(&self.lanes)
            && self.memory_kib >= 8 * self.lanes
    }

    /// Turns a password into a key-encryption key.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the cost is not sane.
    pub fn stretch(&self, password: &[u8], salt: &[u8; 32]) -> Result<Secret> {
        let absurd = |_| Error::Invalid { what: format!("password cost {self:?} can not be used") };
        if !self.is_sane() {
            return Err(Error::Invalid { what: format!("password cost {self:?} can not be used") });
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(absurd)?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password, salt, &mut key)
            .map_err(absurd)?;
        Ok(Secret::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_costs_are_refused_before_they_are_run() {
        for cost in [
            PasswordCost { memory_kib: u32::MAX, passes: 1, lanes: 1 },
            PasswordCost { memory_kib: 64, passes: u32::MAX, lanes: 1 },
            PasswordCost { memory_kib: 64, passes: 1, lanes: 64 },
            PasswordCost { memory_kib: 0, passes: 1, lanes: 1 },
            PasswordCost { memory_kib: 64, passes: 0, lanes: 1 },
        ] {
            assert!(cost.stretch(b"password", &[0; 32]).is_err(), "{cost:?}");
        }
    }

    #[test]
    fn another_salt_gives_another_key() {
        let stretch = |salt| PasswordCost::CHEAPEST.stretch(b"password", &[salt; 32]).expect("stretch");
        assert_eq!(stretch(1).expose(), stretch(1).expose());
        assert_ne!(stretch(1).expose(), stretch(2).expose());
    }
}
