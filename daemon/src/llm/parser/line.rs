//! What a line is, and what the beginning of one may still become. For each
//! kind of special line the two agree: a beginning of a special line may become
//! special. That is what makes the parser blind to how its input is split.

/// Longest closing tag or fence with the spaces around it, in bytes. What is
/// longer is content, so that no more than this is ever held back in a block.
const HELD_BYTES_MAX: usize = 64;
/// Most spaces before a tag: more is code.
const INDENT_MAX: usize = 3;

/// How much a beginning of a line is like something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    Certain,
    Possible,
    Not,
}

/// A fence at the beginning of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// To be dropped; its backticks.
    Opening(String),
    /// There is none, or it is content.
    Absent,
}

/// Spaces before what the line says.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether the beginning of a line is where a tag begins.
pub(super) fn like_tag(line: &str) -> Likeness {
    let indent = indent(line);
    let after = &line[indent..];
    if indent > INDENT_MAX {
        return Likeness::Not;
    }
    let starts = ["<kiln-", "</kiln-"];
    if starts.iter().any(|start| after.starts_with(start)) {
        Likeness::Certain
    } else if starts.iter().any(|start| start.starts_with(after)) {
        Likeness::Possible
    } else {
        Likeness::Not
    }
}

/// Whether a line is the closing tag, alone.
pub(super) fn is_closing(line: &str, tag: &str, indent_max: usize) -> bool {
    let line = without_end(line);
    let indent = indent(line);
    line.len() <= HELD_BYTES_MAX
        && indent <= indent_max
        && line[indent..].trim_end_matches(is_space) == tag
}

/// Whether the beginning of a line may become the closing tag.
pub(super) fn may_become_closing(line: &str, tag: &str, indent_max: usize) -> bool {
    let indent = indent(line);
    let after = &line[indent..];
    line.len() <= HELD_BYTES_MAX
        && indent <= indent_max
        && (tag.starts_with(after)
            || after
                .strip_prefix(tag)
                .is_some_and(|rest| trimmed(rest).is_empty()))
}

/// Whether the first line of a block is a fence around it.
pub(super) fn fence(line: &str, path: &str) -> Fence {
    let line = without_end(line);
    if !may_become_fence(line) {
        return Fence::Absent;
    }
    let info = line.trim_start_matches('`');
    let backticks = &line[..line.len() - info.len()];
    // A Markdown file may well begin with a fence of its own.
    let of_markdown = matches!(trimmed(info), "md" | "mdx" | "markdown");
    if backticks.len() < 3 || (is_markdown(path) && !of_markdown) {
        return Fence::Absent;
    }
    Fence::Opening(backticks.to_owned())
}

/// Whether the beginning of a line may become a fence at the beginning of a
/// block: backticks, then anything but backticks.
pub(super) fn may_become_fence(line: &str) -> bool {
    let info = line.trim_start_matches('`');
    let backticks = line.len() - info.len();
    line.len() <= HELD_BYTES_MAX && (backticks >= 3 || info.is_empty()) && !info.contains('`')
}

/// Whether a line is the end of the fence that was dropped.
pub(super) fn is_closing_fence(line: &str, fence: &str) -> bool {
    let line = without_end(line);
    line.len() <= HELD_BYTES_MAX && line.trim_end_matches(is_space) == fence
}

/// Whether the beginning of a line may become the end of that fence.
pub(super) fn may_become_closing_fence(line: &str, fence: &str) -> bool {
    line.len() <= HELD_BYTES_MAX
        && (fence.starts_with(line)
            || line
                .strip_prefix(fence)
                .is_some_and(|rest| trimmed(rest).is_empty()))
}

fn is_markdown(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["md", "mdx", "markdown"]
        .iter()
        .any(|markdown| extension.eq_ignore_ascii_case(markdown))
}

fn without_end(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}
