//! Commands that behave and commands that do not.
