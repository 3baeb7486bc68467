//! Golden cases of the family `redistribution`.

use super::Family;

pub struct Redistribution;

impl Family for Redistribution {}
