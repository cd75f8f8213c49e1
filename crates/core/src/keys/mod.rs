//! Secrets: master secrets by epoch, everything derived from them, and what passwords and key files become.
//!
//! ```text
//! password ── Argon2id ──┐
//!                        ├─ key-encryption key ─ opens a slot ─ master secrets (one per epoch)
//! key file ──────────────┘                                        │ BLAKE3 derive_key, one context per purpose
//!                                  chunk ids · cutter's table · content · index · rule · groups
//! ```
//!
//! Nothing here does I/O. Secrets are wiped when dropped and print nothing of themselves.

mod keyfile;
mod master;
mod password;
mod secret;

pub use keyfile::KeyFile;
pub use master::{Class, Keys, MasterSecret};
pub use password::PasswordCost;
pub use secret::{Secret, fill_random};
