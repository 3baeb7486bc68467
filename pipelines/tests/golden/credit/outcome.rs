//! Golden cases of the family `outcome`.

use super::Family;

pub struct Outcome;

impl Family for Outcome {}
