//! How is a place inside an object written down: as a JSON pointer for programs, as `spec.rules[1].paths[0]` for people?
//!
//! Only the two spellings and the way between them; where a place stands in a file is [`super::yaml`]'s matter.

use serde_json::Value;

/// The pointer to the member `segment` of what `pointer` names.
pub(super) fn child(pointer: &str, segment: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + segment.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for c in segment.chars() {
        match c {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// The pointer to what holds `pointer`, or `None` at the root.
pub(super) fn parent(pointer: &str) -> Option<&str> {
    pointer.rsplit_once('/').map(|(parent, _)| parent)
}

/// The unescaped segments of a pointer.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer
        .split('/')
        .skip(1)
        .map(|s| s.replace("~1", "/").replace("~0", "~"))
}

/// The spelling for people of a place in `root`, as Kubernetes writes field paths; empty for the root.
pub(super) fn spell(root: &Value, pointer: &str) -> String {
    let mut spelled = String::new();
    let mut at = Some(root);
    for segment in segments(pointer) {
        if matches!(at, Some(Value::Array(_))) || !plain(&segment) {
            spelled.push('[');
            spelled.push_str(&segment);
            spelled.push(']');
        } else {
            if !spelled.is_empty() {
                spelled.push('.');
            }
            spelled.push_str(&segment);
        }
        at = at.and_then(|v| match v {
            Value::Array(items) => segment.parse::<usize>().ok().and_then(|i| items.get(i)),
            Value::Object(members) => members.get(&segment),
            _ => None,
        });
    }
    spelled
}

/// The pointer that a spelling names; the inverse of [`spell`], and lenient: quotes inside brackets are dropped.
pub(super) fn pointer(spelled: &str) -> String {
    let mut pointer = String::new();
    let mut rest = spelled.trim_start_matches('.');
    while !rest.is_empty() {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (segment, after) = inside.split_once(']').unwrap_or((inside, ""));
                (segment.trim_matches(['"', '\'']), after)
            }
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        pointer = child(&pointer, segment);
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    pointer
}

/// Whether a member name reads well between dots.
fn plain(segment: &str) -> bool {
    !segment.is_empty()
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
}
