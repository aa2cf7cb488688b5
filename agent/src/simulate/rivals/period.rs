//! Means over equal periods, as metric stores keep them: samples in, one mean per closed period out.

/// Collects samples and closes periods at multiples of their length.
#[derive(Debug)]
pub(super) struct PeriodMean {
    length_s: f64,
    ends_s: Option<f64>,
    sum: f64,
    samples: u32,
}

impl PeriodMean {
    /// Periods of that length in seconds.
    pub(super) fn new(length_s: f64) -> Self {
        Self {
            length_s,
            ends_s: None,
            sum: 0.0,
            samples: 0,
        }
    }

    /// Takes a sample, or that there is none. If a period ended since the last one: its mean, or
    /// `Some(None)` if nothing was measured in it. Looks are shorter than periods.
    pub(super) fn add(&mut self, now_s: f64, sample: Option<f64>) -> Option<Option<f64>> {
        let next_end_s = ((now_s / self.length_s).floor() + 1.0) * self.length_s;
        let closed = match self.ends_s {
            Some(ends_s) if now_s >= ends_s => {
                let mean = (self.samples > 0).then(|| self.sum / f64::from(self.samples));
                (self.sum, self.samples) = (0.0, 0);
                Some(mean)
            }
            _ => None,
        };
        self.ends_s = Some(next_end_s);
        if let Some(sample) = sample {
            self.sum += sample;
            self.samples += 1;
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_gives_the_mean_of_its_samples_when_it_ends() {
        let mut period = PeriodMean::new(60.0);
        assert_eq!(period.add(0.0, Some(1.0)), None);
        assert_eq!(period.add(30.0, Some(2.0)), None);
        assert_eq!(period.add(60.0, Some(9.0)), Some(Some(1.5)));
        assert_eq!(period.add(90.0, None), None);
        assert_eq!(period.add(120.0, None), Some(Some(9.0)));
    }

    #[test]
    fn a_period_without_samples_is_missing_not_zero() {
        let mut period = PeriodMean::new(60.0);
        assert_eq!(period.add(0.0, None), None);
        assert_eq!(period.add(60.0, None), Some(None));
    }
}
