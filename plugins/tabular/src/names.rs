//! Names of columns as pandas makes them from a header.

/// Repeated names get numbers, empty ones their place; given names keep theirs before made-up ones.
pub fn unique(titles: Vec<String>) -> Vec<String> {
    let empty: Vec<usize> =
        titles.iter().enumerate().filter(|(_, title)| title.is_empty()).map(|(at, _)| at).collect();
    let mut names: Vec<String> = titles.clone();
    for place in &empty {
        if let Some(name) = names.get_mut(*place) {
            *name = format!("Unnamed: {place}");
        }
    }
    let mut taken: std::collections::HashSet<String> = names.iter().cloned().collect();
    let mut counts: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
    let given = (0..names.len()).filter(|place| !empty.contains(place));
    for place in given.chain(empty.iter().copied()).collect::<Vec<_>>() {
        let Some(slot) = names.get_mut(place) else { continue };
        let base = slot.clone();
        let mut name = base.clone();
        let mut count = counts.get(&name).copied().unwrap_or(0);
        while count > 0 {
            counts.insert(base.clone(), count + 1);
            name = format!("{base}.{count}");
            count = if taken.contains(&name) { count + 1 } else { counts.get(&name).copied().unwrap_or(0) };
        }
        taken.insert(name.clone());
        counts.insert(name.clone(), 1.max(counts.get(&name).copied().unwrap_or(0)));
        *slot = name;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_names_are_kept_before_made_up_ones() {
        let titles = ["a", "a", "", "a.1", ""].map(str::to_owned).to_vec();
        assert_eq!(unique(titles), ["a", "a.2", "Unnamed: 2", "a.1", "Unnamed: 4"]);
    }
}
