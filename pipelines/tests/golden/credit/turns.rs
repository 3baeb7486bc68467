//! Golden cases of the family `turns`.

use super::Family;

pub struct Turns;

impl Family for Turns {}
