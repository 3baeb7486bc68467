//! Completion and validation of rollouts: what is let through, what is rejected, and how it is said.

mod completion;
mod properties;
mod rejections;
mod rows;
