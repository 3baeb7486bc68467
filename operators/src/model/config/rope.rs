//! How rotation frequencies are stretched for contexts longer than those a model was first trained on.

/// Stretching of the rotation frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum RopeScaling {
    /// Frequencies as they are.
    #[default]
    None,
    /// All frequencies divided by the factor (position interpolation, arXiv 2306.15595).
    Linear {
        /// Divides every frequency.
        factor: f64,
    },
    /// Llama 3.1: long wavelengths are divided by the factor, short ones kept, and those between are
    /// interpolated (`_compute_llama3_parameters` in transformers).
    Llama3 {
        /// Divides the low frequencies.
        factor: f64,
        /// Wavelengths above the original context over this are divided.
        low_freq_factor: f64,
        /// Wavelengths below the original context over this are kept.
        high_freq_factor: f64,
        /// Context of the first training, in tokens.
        original_max_positions: f64,
    },
}

impl RopeScaling {
    /// The stretched frequency (angle per position).
    ///
    /// ```
    /// use meed_operators::model::config::RopeScaling;
    /// let scaling = RopeScaling::Llama3 {
    ///     factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_positions: 8192.0,
    /// };
    /// assert_eq!(scaling.apply(1.0), 1.0);
    /// assert_eq!(scaling.apply(1e-5), 1e-5 / 8.0);
    /// ```
    pub fn apply(&self, frequency: f64) -> f64 {
        match *self {
            RopeScaling::None => frequency,
            RopeScaling::Linear { factor } => frequency / factor,
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_positions } => {
                let wavelength = 2.0 * std::f64::consts::PI / frequency;
                let turns = original_max_positions / wavelength;
                if turns > high_freq_factor {
                    frequency
                } else if turns < low_freq_factor {
                    frequency / factor
                } else {
                    let smooth = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}
