//! Thirty-two secret bytes.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{Error, Result};

/// A 256-bit secret: wiped when dropped, silent when printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[expect(missing_debug_implementations, reason = "a secret that can be printed gets printed")]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes over the bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Draws 256 bits from the operating system.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes; for hashing and sealing, never for printing.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Fills `bytes` from the operating system.
///
/// # Errors
/// When it has no random bytes.
pub fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::System { what: "random bytes", source: error.into() })
}
