//! Questions on the terminal, before something that can not be taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Context;

/// Asks for a yes; `None` when there is no terminal to ask on.
pub(crate) fn ask(question: &str) -> anyhow::Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut stderr = io::stderr();
    // A question that can not be shown is answered by whoever knows the command.
    let _ = write!(stderr, "{}", crate::tables::visible(question));
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(Some(matches!(answer.trim(), "y" | "Y" | "yes")))
}
