//! Flow of information from the question to the answer over the attention graph (arXiv 2606.10646).

/// How much of each token's information reaches the answer: `h(i) = 1` for answer tokens, else
/// `h(i) = sum_{k > i} W_ik h(k)`, where `W_ik` is the attention that token `k` pays to token `i` and
/// weights below `threshold` count as none.
pub fn sink_potential(attention: &[Vec<f64>], answer: &[bool], threshold: f64) -> Vec<f64> {
    let mut potential = vec![0.0; attention.len()];
    for i in (0..attention.len()).rev() {
        potential[i] = match answer[i] {
            true => 1.0,
            false => later(attention, i, threshold).map(|(k, weight)| weight * potential[k]).sum(),
        };
    }
    potential
}

/// Throughput of each token when one unit, spread evenly over the question's tokens, flows to the
/// answer along the h-transform of the attention, `P_ik = W_ik h(k) / h(i)`, so that nothing is lost in
/// dead ends: `f(k) = source(k) + sum_{i < k} f(i) P_ik`. Answer tokens absorb.
///
/// Question tokens from which nothing reaches the answer give their share to the others. `None` where
/// nothing reaches it at all, or there is no answer.
///
/// ```
/// use meed_operators::judge::attention::flow;
/// // Tokens 0 and 1 are the question, 4 is the answer.
/// let attention = [
///     vec![1.0],
///     vec![0.0, 1.0],
///     vec![0.6, 0.4, 0.0],
///     vec![0.2, 0.0, 0.8, 0.0],
///     vec![0.1, 0.0, 0.2, 0.7, 0.0],
/// ];
/// let flow = flow(&attention, &[true, true, false, false, false], &[false, false, false, false, true], 0.0).unwrap();
/// let wanted = [0.5, 0.5, 0.82758621, 0.71037508, 1.0];
/// assert!(flow.iter().zip(wanted).all(|(got, want)| (got - want).abs() < 1e-8));
/// ```
pub fn flow(attention: &[Vec<f64>], question: &[bool], answer: &[bool], threshold: f64) -> Option<Vec<f64>> {
    let potential = sink_potential(attention, answer, threshold);
    let sources: Vec<usize> = (0..attention.len()).filter(|&i| question[i] && potential[i] > 0.0).collect();
    if sources.is_empty() || !answer.contains(&true) {
        return None;
    }
    let mut flow = vec![0.0; attention.len()];
    for source in &sources {
        flow[*source] = 1.0 / sources.len() as f64;
    }
    for i in 0..attention.len() {
        if answer[i] || potential[i] <= 0.0 {
            continue;
        }
        for (k, weight) in later(attention, i, threshold) {
            flow[k] += flow[i] * weight * potential[k] / potential[i];
        }
    }
    Some(flow)
}

/// Later tokens that attend to `i`, with their weights.
fn later(attention: &[Vec<f64>], i: usize, threshold: f64) -> impl Iterator<Item = (usize, f64)> {
    let tokens = attention.iter().enumerate().skip(i + 1);
    tokens.map(move |(k, row)| (k, row[i])).filter(move |(_, weight)| *weight > 0.0 && *weight >= threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attention() -> Vec<Vec<f64>> {
        vec![
            vec![1.0],
            vec![0.0, 1.0],
            vec![0.6, 0.4, 0.0],
            vec![0.2, 0.0, 0.8, 0.0],
            vec![0.1, 0.0, 0.2, 0.7, 0.0],
        ]
    }

    const QUESTION: [bool; 5] = [true, true, false, false, false];
    const ANSWER: [bool; 5] = [false, false, false, false, true];

    /// The numeric check of the section.
    #[test]
    fn potential_of_five_tokens() {
        let potential = sink_potential(&attention(), &ANSWER, 0.0);
        let wanted = [0.696, 0.304, 0.76, 0.7, 1.0];
        assert!(potential.iter().zip(wanted).all(|(got, want)| (got - want).abs() < 1e-12), "{potential:?}");
    }

    #[test]
    fn all_of_the_unit_reaches_the_answer() {
        for threshold in [0.0, 0.15, 0.3] {
            let flow = flow(&attention(), &QUESTION, &ANSWER, threshold).unwrap();
            assert!((flow[4] - 1.0).abs() < 1e-12, "{threshold}: {flow:?}");
        }
    }

    #[test]
    fn without_a_way_to_the_answer_there_is_no_flow() {
        assert_eq!(flow(&attention(), &QUESTION, &[false; 5], 0.0), None);
        assert_eq!(flow(&attention(), &[false; 5], &ANSWER, 0.0), None);
        assert_eq!(flow(&attention(), &QUESTION, &ANSWER, 0.9), None, "every weight is pruned");
        // Token 1 reaches nothing: token 0 carries the whole unit.
        let mut blocked = attention();
        blocked[2][1] = 0.0;
        let flow = flow(&blocked, &QUESTION, &ANSWER, 0.0).unwrap();
        assert_eq!((flow[0], flow[1]), (1.0, 0.0));
    }
}
