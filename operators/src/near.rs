//! Names that someone may have meant.

/// The known names that are nearest to one that is not known, at most three; none where all are far.
///
/// ```
/// assert_eq!(meed_operators::near_names("rewad", ["reward", "mean"]), ["reward"]);
/// assert!(meed_operators::near_names("gamma", ["reward", "mean"]).is_empty());
/// ```
pub fn near_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|known| (strsim::osa_distance(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + name.len() / 4 || name.len() > 2 && known.contains(name))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(3);
    near.into_iter().map(|(_, known)| known).collect()
}
