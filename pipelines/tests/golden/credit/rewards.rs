//! Golden cases of the family `rewards`.

use super::Family;

pub struct Rewards;

impl Family for Rewards {}
