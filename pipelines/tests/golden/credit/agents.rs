//! Golden cases of the family `agents`.

use super::Family;

pub struct Agents;

impl Family for Agents {}
