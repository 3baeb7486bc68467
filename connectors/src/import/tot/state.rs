//! What a line of the Game of 24 does, and the numbers that remain after it.

/// True for four numbers.
pub(super) fn is_puzzle(text: &str) -> bool {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    text.split_whitespace().count() == 4 && numbers.all(|number| number.is_ok())
}

/// The numbers of a puzzle, as a state.
pub(super) fn of_puzzle(puzzle: &str) -> Option<String> {
    Some(in_order(puzzle))
}

/// The numbers that remain after a line; `None` where it does not tell them.
pub(super) fn after(line: &str) -> Option<String> {
    let (_, left) = line.rsplit_once("left:")?;
    let numbers = left.split(')').next()?.trim();
    (!numbers.is_empty()).then(|| in_order(numbers))
}

/// The calculation of a line, without what remains.
pub(super) fn action(line: &str) -> String {
    let calculation = match line.rsplit_once("left:") {
        Some((before, _)) => before.rsplit_once('(').map_or(before, |(calculation, _)| calculation),
        None => line,
    };
    calculation.trim().to_owned()
}

/// The same numbers are the same state, in whatever order they are written.
fn in_order(numbers: &str) -> String {
    let mut words: Vec<&str> = numbers.split_whitespace().collect();
    let number = |word: &&str| word.parse::<f64>().unwrap_or(f64::INFINITY);
    words.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{action, after, is_puzzle, of_puzzle};

    #[test]
    fn lines_of_the_game() {
        assert!(is_puzzle("4 5 6 10") && !is_puzzle("4 5 6") && !is_puzzle("a b c d"));
        assert_eq!(of_puzzle("10 4 5 6").as_deref(), Some("4 5 6 10"));
        for (line, does, remain) in [
            ("4 + 5 = 9 (left: 10 6 9)\n", "4 + 5 = 9", Some("6 9 10")),
            ("12 / 7 = 1.71 (rounded, left: 1.71)\n", "12 / 7 = 1.71", Some("1.71")),
            ("7 / 8 (not a whole number)\n", "7 / 8 (not a whole number)", None),
            ("Answer: (4 * 5) + (10 - 6) = 24\n", "Answer: (4 * 5) + (10 - 6) = 24", None),
        ] {
            assert_eq!((action(line).as_str(), after(line).as_deref()), (does, remain));
        }
    }
}
