//! Token sequences that share prefixes, packed without gaps: a forest of segments.

use std::ops::Range;

/// A run of tokens. It attends to its ancestors and, causally, to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its tokens in the packed order.
    pub tokens: Range<usize>,
    /// The segment that it continues.
    pub parent: Option<usize>,
    /// Position of its first token in the sequence.
    pub position: usize,
}

/// Segments that cover the packed tokens in order, parents before children. A prompt and its rollouts are
/// a tree of one root and one leaf for each rollout.
///
/// ```
/// use meed_operators::model::forest::Forest;
/// let mut forest = Forest::default();
/// let prompt = forest.push(3, None);
/// forest.push(2, Some(prompt));
/// let second = forest.push(2, Some(prompt));
/// assert_eq!(forest.tokens(), 7);
/// assert_eq!(forest.path(second), [0..3, 5..7]);
/// assert_eq!(forest.positions(), [0, 1, 2, 3, 4, 3, 4]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forest {
    segments: Vec<Segment>,
}

impl Forest {
    /// Adds a segment of so many tokens after those there are, and returns its number. A parent that does
    /// not exist makes it a root.
    pub fn push(&mut self, tokens: usize, parent: Option<usize>) -> usize {
        let start = self.tokens();
        let parent = parent.filter(|parent| *parent < self.segments.len());
        let position = parent.map_or(0, |parent| {
            let parent = &self.segments[parent];
            parent.position + parent.tokens.len()
        });
        self.segments.push(Segment { tokens: start..start + tokens, parent, position });
        self.segments.len() - 1
    }

    /// The segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of packed tokens.
    pub fn tokens(&self) -> usize {
        self.segments.last().map_or(0, |segment| segment.tokens.end)
    }

    /// Position of every packed token in its sequence.
    pub fn positions(&self) -> Vec<usize> {
        let segments = self.segments.iter();
        segments.flat_map(|segment| segment.position..segment.position + segment.tokens.len()).collect()
    }

    /// The token ranges from the root to a segment, its own last.
    pub fn path(&self, segment: usize) -> Vec<Range<usize>> {
        let mut path = Vec::new();
        let mut next = Some(segment);
        while let Some(at) = next {
            path.push(self.segments[at].tokens.clone());
            next = self.segments[at].parent;
        }
        path.reverse();
        path
    }
}
