//! A stream of any length to standard output, and the comparison of standard input with it.

use std::{
    error::Error,
    io::{Read, Write, stdin, stdout},
};

use crate::content::{PIECE, Stream};

/// Writes the stream.
pub(crate) fn write(bytes: u64, seed: u64) -> Result<(), Box<dyn Error>> {
    let (mut stream, mut output, mut piece) = (Stream::new(seed, bytes), stdout().lock(), vec![0; PIECE]);
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => output.write_all(&piece[..length])?,
        }
    }
}

/// Fails when standard input is anything but the stream.
pub(crate) fn compare(bytes: u64, seed: u64) -> Result<(), Box<dyn Error>> {
    let (mut stream, mut input) = (Stream::new(seed, bytes), stdin().lock());
    let (mut found, mut expected, mut at) = (vec![0; PIECE], vec![0; PIECE], 0_u64);
    loop {
        let length = input.read(&mut found)?;
        if length == 0 {
            return if at == bytes { Ok(()) } else { Err(format!("it ends after {at} of {bytes} bytes").into()) };
        }
        let expected = &mut expected[..length];
        stream.read_exact(expected).map_err(|_| format!("it goes on behind {bytes} bytes"))?;
        if found[..length] != *expected {
            return Err(format!("it differs in the {length} bytes from {at} on").into());
        }
        at += length as u64;
    }
}
