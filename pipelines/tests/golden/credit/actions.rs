//! Golden cases of the family `actions`.

use super::Family;

pub struct Actions;

impl Family for Actions {}
