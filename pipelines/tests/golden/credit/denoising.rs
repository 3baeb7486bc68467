//! Golden cases of the family `denoising`.

use super::Family;

pub struct Denoising;

impl Family for Denoising {}
