//! Is Cedar text shallow enough to be read? Cedar reads it by recursion, and text of 32 KiB can be so deep that the stack ends and the
//! process with it. This looks at brackets and operators only; whether the text means anything is Cedar's to say.

/// The deepest brackets.
const DEEPEST: usize = 24;
/// The most operators of one policy. Each may be one level.
const MOST: usize = 512;

/// Where the text goes too deep, as an offset, and why.
pub(super) fn too_deep(text: &str) -> Option<(usize, String)> {
    let (mut depth, mut operators) = (0_usize, 0);
    let mut rest = text.char_indices().peekable();
    while let Some((offset, letter)) = rest.next() {
        match letter {
            '"' => {
                while rest.next().is_some_and(|(_, inside)| match inside {
                    '\\' => rest.next().is_some(),
                    _ => inside != '"',
                }) {}
            }
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next_if(|(_, inside)| !matches!(inside, '\n' | '\r')).is_some() {}
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' => operators = 0,
            _ => {}
        }
        let word = text
            .get(offset..)
            .is_some_and(|text| text.starts_with("if") || text.starts_with("has"));
        operators += usize::from(word || matches!(letter, '|' | '&' | '+' | '-' | '*' | '!' | '.' | '['));
        if depth > DEEPEST {
            return Some((offset, format!("brackets are nested more than {DEEPEST} deep")));
        }
        if operators > MOST {
            let message = format!(
                "one policy has more than {MOST} operators: write a set with `contains` or `in`, or several policies"
            );
            return Some((offset, message));
        }
    }
    None
}
