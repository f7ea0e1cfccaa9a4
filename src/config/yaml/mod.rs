//! YAML text to a tree of nodes that know their place.
//!
//! The crate's event parser does the syntax; this room builds the tree, because three things must be ours: scalars mean
//! what they mean to PyYAML (YAML 1.1, which LiteLLM reads with), merge keys (`<<`) work, and nothing a file says can
//! exhaust stack or memory (depth, alias copies and file size are bounded). Knows nothing of configuration.

mod build;
mod error;
mod node;
mod scalar;
mod tag;

#[cfg(test)]
pub use build::parse;
pub use build::parse_file;
pub use node::{Entry, Node, Pos, Value};
pub use scalar::is_decimal;
