//! The text of a key file: one line that can be printed, typed and checked.
//!
//! ```text
//! lbak-key-1 6f0c…64 hex digits… 8 hex digits of their BLAKE3
//! ```

use zeroize::Zeroizing;

use super::secret::Secret;
use crate::{
    error::{Error, Result},
    id::decode_hex,
};

const PREFIX: &str = "lbak-key-1";

/// A 256-bit key that is kept in a file.
#[derive(Clone)]
pub struct KeyFile(Secret);

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyFile(…)")
    }
}

impl KeyFile {
    /// Draws a new key from the operating system.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn generate() -> Result<Self> {
        Secret::random().map(Self)
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not one, or was mistyped.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let invalid = |what: &str| Error::Invalid { what: format!("not a key file: {what}") };
        let text = std::str::from_utf8(text).map_err(|_| invalid("it is not text"))?;
        let mut words = text.split_ascii_whitespace();
        let (prefix, key, check, end) = (words.next(), words.next(), words.next(), words.next());
        if prefix != Some(PREFIX) || end.is_some() {
            return Err(invalid("it does not hold one line `lbak-key-1 KEY CHECKSUM`"));
        }
        let mut bytes = Zeroizing::new([0; 32]);
        if !decode_hex(key.unwrap_or_default(), bytes.as_mut_slice()) {
            return Err(invalid("the key is not 64 lower-case hex digits"));
        }
        let secret = Secret::new(*bytes);
        if check != Some(checksum(&secret).as_str()) {
            return Err(invalid("the checksum at its end does not fit: it was mistyped or cut"));
        }
        Ok(Self(secret))
    }

    /// The text to keep, with its line end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str(PREFIX);
        text.push(' ');
        for byte in self.0.expose() {
            text.push(char::from_digit(u32::from(byte >> 4), 16).expect("a digit below 16"));
            text.push(char::from_digit(u32::from(byte & 15), 16).expect("a digit below 16"));
        }
        text.push(' ');
        text.push_str(&checksum(&self.0));
        text.push('\n');
        text
    }

    /// The key-encryption key.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

fn checksum(secret: &Secret) -> String {
    blake3::hash(secret.expose()).to_hex()[..8].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_round_trips_and_a_typing_error_is_found() {
        let key = KeyFile::generate().expect("random bytes");
        let text = key.to_text();
        assert_eq!(KeyFile::parse(text.as_bytes()).expect("parse").secret().expose(), key.secret().expose());
        let mistyped = text.replacen(['0', '1', '2', '3', '4', '5', '6', '7'], "8", 1);
        for wrong in ["", "lbak-key-1", &text[..40], &mistyped, &format!("{}x", text.trim_end())] {
            assert!(KeyFile::parse(wrong.as_bytes()).is_err(), "{}", wrong.len());
        }
    }
}
