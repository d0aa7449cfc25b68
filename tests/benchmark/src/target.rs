//! What is aimed at, and whether a measurement got there.

use serde::Serialize;

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub scenario: &'static str,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub against: Option<Against>,
    pub target: Option<Target>,
    /// What else was seen.
    pub notes: String,
}

/// What it is compared to.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub enum Target {
    /// The value, over what it is compared to, is to be at least this.
    Ratio(f64),
    /// The value is to be at least this.
    AtLeast(f64),
    /// The value is to be at most this.
    AtMost(f64),
    /// The value is to exceed what it is compared to by this at most.
    Above(f64),
    /// The value, over what it is compared to, is to be within this share of 1.
    Within(f64),
}

impl Measured {
    pub fn new(scenario: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Measured {
        Measured {
            scenario,
            what: what.into(),
            value,
            unit,
            against: None,
            target: None,
            notes: String::new(),
        }
    }

    pub fn against(mut self, what: impl Into<String>, value: f64, unit: &'static str) -> Measured {
        self.against = Some(Against { what: what.into(), value, unit });
        self
    }

    pub fn target(mut self, target: Target) -> Measured {
        self.target = Some(target);
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Measured {
        self.notes = note.into();
        self
    }

    /// The value over what it is compared to.
    pub fn ratio(&self) -> Option<f64> {
        let against = self.against.as_ref()?;
        (against.value > 0.0).then(|| self.value / against.value)
    }

    /// Whether the target is met; `None` without one.
    pub fn is_met(&self) -> Option<bool> {
        let (ratio, base) = (self.ratio(), self.against.as_ref().map_or(0.0, |against| against.value));
        Some(match self.target? {
            Target::Ratio(least) => ratio.is_some_and(|ratio| ratio >= least),
            Target::AtLeast(least) => self.value >= least,
            Target::AtMost(most) => self.value <= most,
            Target::Above(most) => self.value - base <= most,
            Target::Within(share) => ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= share),
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Ratio(least) => write!(f, "≥ {least} ×"),
            Target::AtLeast(least) => write!(f, "≥ {least}"),
            Target::AtMost(most) => write!(f, "≤ {most}"),
            Target::Above(most) => write!(f, "≤ + {most}"),
            Target::Within(share) => write!(f, "± {:.0} %", share * 100.0),
        }
    }
}
