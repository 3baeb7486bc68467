//! End-to-end tests in one binary: they link everything, so they are linked once.

mod bits;
mod real_data;
mod support;
