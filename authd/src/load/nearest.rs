//! Which of the known names was probably meant?

/// How many names a message lists.
const LISTED: usize = 16;

/// The known name nearest to `written`, where one is near enough to be worth suggesting.
pub(super) fn nearest<'n>(written: &str, known: &[&'n str]) -> Option<&'n str> {
    let limit = (written.chars().count().max(3) / 3).min(4);
    let written = written.to_lowercase();
    let scored = known
        .iter()
        .map(|name| (distance(&written, &name.to_lowercase()), *name));
    scored
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `, did you mean ...?`, or nothing.
pub(super) fn suggestion(near: Option<&str>) -> String {
    near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}

/// Names in backticks, with commas; long lists are cut.
pub(super) fn list(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > LISTED {
        format!("{shown} and {} more", names.len() - LISTED)
    } else {
        shown
    }
}

/// How many characters have to be put in, left out, replaced or swapped with their neighbour (optimal string alignment); the
/// length of the longer name where either is over 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > 64 {
        return a.len().max(b.len());
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut above: Option<char> = None;
    for (row, &from) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left: Option<char> = None;
        for (column, &to) in b.iter().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (cell(&last, column) + usize::from(from != to))
                .min(cell(&last, column + 1) + 1)
                .min(cell(&current, column) + 1);
            if above == Some(to) && left == Some(from) && column > 0 {
                best = best.min(cell(&before, column - 1) + 1);
            }
            current.push(best);
            left = Some(to);
        }
        before = std::mem::replace(&mut last, current);
        above = Some(from);
    }
    last.last().copied().unwrap_or_default()
}
