//! How a folder is walked where the usual rules do not fit: `PATTERN=skip`, `PATTERN=single`, `PATTERN=sequence`.

use std::{path::Path, str::FromStr};

/// What becomes of the files that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Not registered; a folder is not entered.
    Skip,
    /// One node each, also where they are numbered.
    Single,
    /// Numbered files of one name are one node: frames of an array, partitions of a table.
    Sequence,
}

/// One rule. A pattern without `/` is for names, one with it for paths below the registered folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pattern: glob::Pattern,
    of_paths: bool,
    walk: Walk,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "{text}: expected PATTERN=skip, PATTERN=single or PATTERN=sequence, as in 'part-*.csv=sequence'"
            )
        };
        let (pattern, walk) = text.rsplit_once('=').ok_or_else(expected)?;
        let walk = match walk.trim() {
            "skip" => Walk::Skip,
            "single" => Walk::Single,
            "sequence" => Walk::Sequence,
            _ => return Err(expected()),
        };
        let pattern = pattern.trim();
        let of_paths = pattern.contains('/');
        let pattern = glob::Pattern::new(pattern.trim_start_matches('/'))
            .map_err(|error| format!("{text}: not a glob pattern: {error}"))?;
        Ok(Rule { pattern, of_paths, walk })
    }
}

/// What the first rule that fits says of a path; `root` is the registered folder.
pub(super) fn walk(rules: &[Rule], path: &Path, root: &Path) -> Option<Walk> {
    let fits = |rule: &&Rule| {
        let subject =
            if rule.of_paths { path.strip_prefix(root).ok() } else { path.file_name().map(Path::new) };
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        subject.is_some_and(|subject| rule.pattern.matches_path_with(subject, options))
    };
    rules.iter().find(fits).map(|rule| rule.walk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules: Vec<Rule> = ["raw/**/*.tif=single", "*.tif=sequence", "dark*=skip"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        for (path, wanted) in [
            ("/d/raw/x/a1.tif", Some(Walk::Single)),
            ("/d/raw.tif", Some(Walk::Sequence)),
            ("/d/x/dark1.csv", Some(Walk::Skip)),
            ("/d/x/y.csv", None),
        ] {
            assert_eq!(walk(&rules, Path::new(path), Path::new("/d")), wanted, "{path}");
        }
        let error = "*.tif=stack".parse::<Rule>().unwrap_err();
        assert!(error.contains("PATTERN=single"), "{error}");
        assert!("no rule".parse::<Rule>().is_err());
    }
}
