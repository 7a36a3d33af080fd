//! Names: one contract for each label, at a time.

use super::super::{Done, Work};
use crate::error::Refusal;
use crate::name::Label;

impl Work<'_> {
    pub(super) fn check_name(&mut self, label: &Label) -> Done {
        if self.overlay.get(label)?.is_some() {
            return Err(Refusal::NameTaken { label: label.clone() }.into());
        }
        Ok(())
    }
}
