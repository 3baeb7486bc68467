//! Judges that check without a model, one file each.
