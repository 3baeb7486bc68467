//! A causal transformer in straight loops and 64-bit floats, with either convention of the rotation.

/// One model's numbers, row by row.
pub struct Plain {
    pub hidden: usize,
    pub heads: usize,
    pub key_value_heads: usize,
    pub head_dim: usize,
    pub theta: f64,
    pub eps: f64,
    /// Pairs are neighbours `2 i` and `2 i + 1`; otherwise `i` and `i + head_dim / 2`.
    pub interleaved: bool,
    pub embedding: Vec<f64>,
    pub layers: Vec<PlainLayer>,
    pub norm: Vec<f64>,
    pub output: Vec<f64>,
    pub value_head: Option<Vec<f64>>,
}

#[derive(Default)]
pub struct PlainLayer {
    pub attention_norm: Vec<f64>,
    pub query: Vec<f64>,
    pub key: Vec<f64>,
    pub value: Vec<f64>,
    pub biases: Option<[Vec<f64>; 3]>,
    pub query_key_norms: Option<[Vec<f64>; 2]>,
    pub attention_output: Vec<f64>,
    pub feed_forward_norm: Vec<f64>,
    pub gate: Vec<f64>,
    pub up: Vec<f64>,
    pub down: Vec<f64>,
}

fn times(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix.chunks(x.len()).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn norm(x: &[f64], scale: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    x.iter().zip(scale).map(|(v, s)| v * s / (mean + eps).sqrt()).collect()
}

impl Plain {
    fn project(&self, layer: &PlainLayer, which: usize, x: &[f64], position: usize) -> Vec<f64> {
        let matrix = [&layer.query, &layer.key, &layer.value][which];
        let mut out = times(matrix, x);
        if let Some(biases) = &layer.biases {
            for (o, b) in out.iter_mut().zip(&biases[which]) {
                *o += b;
            }
        }
        if which == 2 {
            return out;
        }
        for head in out.chunks_mut(self.head_dim) {
            if let Some(norms) = &layer.query_key_norms {
                let normed = norm(head, &norms[which], self.eps);
                head.copy_from_slice(&normed);
            }
            let half = self.head_dim / 2;
            for i in 0..half {
                let angle = position as f64 * self.theta.powf(-((2 * i) as f64) / self.head_dim as f64);
                let (a, b) = if self.interleaved { (2 * i, 2 * i + 1) } else { (i, i + half) };
                let (x, y) = (head[a], head[b]);
                head[a] = x * angle.cos() - y * angle.sin();
                head[b] = x * angle.sin() + y * angle.cos();
            }
        }
        out
    }

    /// Logits and value estimate after each token.
    pub fn forward(&self, tokens: &[i32]) -> Vec<(Vec<f64>, Option<f64>)> {
        let mut stream: Vec<Vec<f64>> = tokens
            .iter()
            .map(|token| self.embedding[*token as usize * self.hidden..][..self.hidden].to_vec())
            .collect();
        for layer in &self.layers {
            let normed: Vec<Vec<f64>> =
                stream.iter().map(|x| norm(x, &layer.attention_norm, self.eps)).collect();
            let parts: Vec<[Vec<f64>; 3]> = normed
                .iter()
                .enumerate()
                .map(|(position, x)| [0, 1, 2].map(|which| self.project(layer, which, x, position)))
                .collect();
            for (position, x) in stream.iter_mut().enumerate() {
                let mut attended = vec![0.0; self.heads * self.head_dim];
                for head in 0..self.heads {
                    let query = &parts[position][0][head * self.head_dim..][..self.head_dim];
                    let at = head * self.key_value_heads / self.heads * self.head_dim;
                    let scores: Vec<f64> = (0..=position)
                        .map(|past| {
                            let key = &parts[past][1][at..][..self.head_dim];
                            let dot: f64 = query.iter().zip(key).map(|(a, b)| a * b).sum();
                            (dot / (self.head_dim as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = scores.iter().sum();
                    for (past, score) in scores.iter().enumerate() {
                        for i in 0..self.head_dim {
                            attended[head * self.head_dim + i] += score / total * parts[past][2][at + i];
                        }
                    }
                }
                for (x, y) in x.iter_mut().zip(times(&layer.attention_output, &attended)) {
                    *x += y;
                }
                let normed = norm(x, &layer.feed_forward_norm, self.eps);
                let (gates, ups) = (times(&layer.gate, &normed), times(&layer.up, &normed));
                let inner: Vec<f64> =
                    gates.iter().zip(&ups).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
                for (x, y) in x.iter_mut().zip(times(&layer.down, &inner)) {
                    *x += y;
                }
            }
        }
        stream
            .iter()
            .map(|x| {
                let normed = norm(x, &self.norm, self.eps);
                (times(&self.output, &normed), self.value_head.as_ref().map(|head| times(head, &normed)[0]))
            })
            .collect()
    }

    /// The most probable next tokens, one after the other.
    pub fn greedy(&self, context: &[i32], count: usize) -> Vec<i32> {
        let mut tokens = context.to_vec();
        for _ in 0..count {
            let logits = self.forward(&tokens).pop().unwrap().0;
            let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a)));
            tokens.push(best.unwrap() as i32);
        }
        tokens.split_off(context.len())
    }
}

/// Log-probability of a token and entropy, of logits at a temperature.
pub fn softmax(logits: &[f64], token: i32, temperature: f64) -> (f64, f64) {
    let scaled: Vec<f64> = logits.iter().map(|logit| logit / temperature).collect();
    let total = scaled.iter().map(|z| z.exp()).sum::<f64>().ln();
    let entropy = scaled.iter().map(|z| -(z - total) * (z - total).exp()).sum();
    (scaled[token as usize] - total, entropy)
}
