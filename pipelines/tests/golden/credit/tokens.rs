//! Golden cases of the family `tokens`.

use super::Family;

pub struct Tokens;

impl Family for Tokens {}
