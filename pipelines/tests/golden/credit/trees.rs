//! Golden cases of the family `trees`.

use super::Family;

pub struct Trees;

impl Family for Trees {}
