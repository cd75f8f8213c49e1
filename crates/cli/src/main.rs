//! The binary `lbak`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lbak_cli::main()
}
