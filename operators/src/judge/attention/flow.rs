//! Flow of information from the question to the answer over the attention graph (arXiv 2606.10646).

use arrow::array::BooleanArray;

use super::Triangle;

/// How much of each token's information reaches the answer: `h(i) = 1` for answer tokens, else
/// `h(i) = sum_{k > i} W_ik h(k)`, where `W_ik` is the attention that token `k` pays to token `i` and
/// weights below `threshold` count as none.
pub fn sink_potential<W: Copy + Into<f64>>(
    attention: Triangle<'_, W>,
    answer: &[bool],
    threshold: f64,
) -> Vec<f64> {
    let mut potential = vec![0.0; attention.tokens()];
    for k in (0..attention.tokens()).rev() {
        if answer[k] {
            potential[k] = 1.0;
        }
        let reaches = potential[k];
        if reaches > 0.0 {
            for (i, weight) in earlier(attention, k, threshold) {
                potential[i] += weight * reaches;
            }
        }
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
/// use meed_operators::judge::attention::{Triangle, flow};
/// // Tokens 0 and 1 are the question, 4 is the answer.
/// let attention = [1.0, 0.0, 1.0, 0.6, 0.4, 0.0, 0.2, 0.0, 0.8, 0.0, 0.1, 0.0, 0.2, 0.7, 0.0];
/// let attention = Triangle::new(&attention).unwrap();
/// let flow = flow(attention, &[true, true, false, false, false], &[false, false, false, false, true], 0.0).unwrap();
/// let wanted = [0.5, 0.5, 0.82758621, 0.71037508, 1.0];
/// assert!(flow.iter().zip(wanted).all(|(got, want)| (got - want).abs() < 1e-8));
/// ```
pub fn flow<W: Copy + Into<f64>>(
    attention: Triangle<'_, W>,
    question: &[bool],
    answer: &[bool],
    threshold: f64,
) -> Option<Vec<f64>> {
    let potential = sink_potential(attention, answer, threshold);
    let sources: Vec<usize> =
        (0..attention.tokens()).filter(|&i| question[i] && potential[i] > 0.0).collect();
    if sources.is_empty() || !answer.contains(&true) {
        return None;
    }
    let mut flow = vec![0.0; attention.tokens()];
    for source in &sources {
        flow[*source] = 1.0 / sources.len() as f64;
    }
    for k in 0..attention.tokens() {
        if potential[k] <= 0.0 {
            continue;
        }
        let passing = earlier(attention, k, threshold).filter(|&(i, _)| !answer[i] && potential[i] > 0.0);
        let arriving: f64 = passing.map(|(i, weight)| flow[i] * weight * potential[k] / potential[i]).sum();
        flow[k] += arriving;
    }
    Some(flow)
}

/// Which of `tokens` tokens are the question, the `prompt` first ones, and which the answer: the last
/// `answer_tokens` trainable tokens after the prompt.
pub fn question_and_answer(
    tokens: usize,
    prompt: usize,
    mask: &BooleanArray,
    answer_tokens: usize,
) -> (Vec<bool>, Vec<bool>) {
    let trainable: Vec<usize> = (0..mask.len()).filter(|&token| mask.value(token)).collect();
    let mut answer = vec![false; tokens];
    for token in &trainable[trainable.len().saturating_sub(answer_tokens)..] {
        if let Some(answer) = answer.get_mut(prompt + token) {
            *answer = true;
        }
    }
    ((0..tokens).map(|token| token < prompt).collect(), answer)
}

/// Tokens before `k` that it attends to, with its weights.
fn earlier<W: Copy + Into<f64>>(
    attention: Triangle<'_, W>,
    k: usize,
    threshold: f64,
) -> impl Iterator<Item = (usize, f64)> {
    let weights = attention.row(k)[..k].iter().map(|&weight| weight.into()).enumerate();
    weights.filter(move |&(_, weight)| weight > 0.0 && weight >= threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTENTION: [f64; 15] = [1.0, 0.0, 1.0, 0.6, 0.4, 0.0, 0.2, 0.0, 0.8, 0.0, 0.1, 0.0, 0.2, 0.7, 0.0];
    const QUESTION: [bool; 5] = [true, true, false, false, false];
    const ANSWER: [bool; 5] = [false, false, false, false, true];

    fn attention() -> Triangle<'static, f64> {
        Triangle::new(&ATTENTION).unwrap()
    }

    /// The numeric check of the section.
    #[test]
    fn potential_of_five_tokens() {
        let potential = sink_potential(attention(), &ANSWER, 0.0);
        let wanted = [0.696, 0.304, 0.76, 0.7, 1.0];
        assert!(potential.iter().zip(wanted).all(|(got, want)| (got - want).abs() < 1e-12), "{potential:?}");
    }

    #[test]
    fn all_of_the_unit_reaches_the_answer() {
        for threshold in [0.0, 0.15, 0.3] {
            let flow = flow(attention(), &QUESTION, &ANSWER, threshold).unwrap();
            assert!((flow[4] - 1.0).abs() < 1e-12, "{threshold}: {flow:?}");
        }
    }

    /// An answer token in the middle keeps what reaches it.
    #[test]
    fn answer_tokens_absorb() {
        let flow = flow(attention(), &QUESTION, &[false, false, true, false, true], 0.0).unwrap();
        assert!((flow[2] + flow[4] - 1.0).abs() < 1e-12, "{flow:?}");
        assert!(flow[3] < flow[0], "nothing flows on from token 2: {flow:?}");
    }

    #[test]
    fn without_a_way_to_the_answer_there_is_no_flow() {
        assert_eq!(flow(attention(), &QUESTION, &[false; 5], 0.0), None);
        assert_eq!(flow(attention(), &[false; 5], &ANSWER, 0.0), None);
        assert_eq!(flow(attention(), &QUESTION, &ANSWER, 0.9), None, "every weight is pruned");
        // Token 1 reaches nothing: token 0 carries the whole unit.
        let mut blocked = ATTENTION;
        blocked[4] = 0.0;
        let flow = flow(Triangle::new(&blocked).unwrap(), &QUESTION, &ANSWER, 0.0).unwrap();
        assert_eq!((flow[0], flow[1]), (1.0, 0.0));
    }
}
