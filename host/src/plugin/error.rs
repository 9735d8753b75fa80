//! Why a plugin is not there: file, step, reason, and what to do.

use std::fmt;

/// How far loading came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Looking for the file.
    Find,
    /// Reading the file without running it.
    Inspect,
    /// Comparing its descriptor with what this server allows.
    Policy,
    /// Making a private copy.
    Stage,
    /// Loading the library.
    Open,
    /// Comparing the layouts of what crosses the edge.
    Check,
    /// The plugin's own start.
    Create,
    /// Deciding who serves what.
    Choose,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Find => "cannot be found",
            Step::Inspect => "is not a usable library",
            Step::Policy => "is refused",
            Step::Stage => "cannot be copied",
            Step::Open => "cannot be loaded",
            Step::Check => "does not fit this server",
            Step::Create => "does not start",
            Step::Choose => "conflict",
        })
    }
}

/// One plugin, or one claim, that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file, or the claim for a conflict.
    pub subject: String,
    /// How far it came.
    pub step: Step,
    /// What is wrong, in one line.
    pub reason: String,
    /// What to do; may be empty.
    pub remedy: String,
}

impl Refusal {
    pub(super) fn new(
        subject: impl fmt::Display,
        step: Step,
        reason: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        // One line: a library's own text may hold several.
        let reason = reason
            .to_string()
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        Refusal { subject: subject.to_string(), step, reason, remedy: remedy.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.subject, self.step, self.reason)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

/// Why the server cannot start with these plugins: every reason, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError(pub Vec<Refusal>);

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, refusal) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            refusal.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PluginError {}
