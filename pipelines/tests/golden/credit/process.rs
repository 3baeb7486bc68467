//! Golden cases of the family `process`.

use super::Family;

pub struct Process;

impl Family for Process {}
