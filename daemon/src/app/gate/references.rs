//! What a page pulls in: the scripts, styles and modules that a browser would
//! fetch next. Pure functions of text; nothing here fetches.

/// Something that a page or module pulls in, on the same origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    /// Absolute path on the origin, with its query.
    pub(super) path: String,
    /// What a browser takes it for.
    pub(super) kind: Kind,
}

/// What a browser takes a reference for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A classic script: fetched, not followed.
    Script,
    /// A module: fetched, and its imports followed.
    Module,
    /// A style sheet.
    Style,
}

impl Kind {
    /// Whether a browser would take an answer of this content type for it.
    /// Vite answers a missing module with 200 and `text/html`.
    pub(super) fn accepts(self, content_type: &str) -> bool {
        let essence = content_type
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase();
        match self {
            Self::Script | Self::Module => matches!(
                essence.as_str(),
                "text/javascript"
                    | "application/javascript"
                    | "application/ecmascript"
                    | "text/ecmascript"
            ),
            Self::Style => essence == "text/css",
        }
    }

    /// What it is called for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Module => "module",
            Self::Style => "style sheet",
        }
    }
}

/// What an HTML page at `/` pulls in.
pub(super) fn of_html(html: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name_length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = rest[..name_length].to_ascii_lowercase();
        let end = tag_end(rest);
        let attributes = &rest[name_length..end];
        rest = rest.get(end + 1..).unwrap_or("");
        match name.as_str() {
            "script" => {
                let body_end = find_ignoring_case(rest, "</script").unwrap_or(rest.len());
                let module = attribute(attributes, "type").is_some_and(|t| t == "module");
                match attribute(attributes, "src") {
                    Some(src) => push(
                        &mut found,
                        "/",
                        src,
                        if module { Kind::Module } else { Kind::Script },
                    ),
                    None if module => found.extend(of_module("/", &rest[..body_end])),
                    None => {}
                }
                rest = &rest[body_end..];
            }
            "link" => {
                let rel = attribute(attributes, "rel")
                    .unwrap_or("")
                    .to_ascii_lowercase();
                let Some(href) = attribute(attributes, "href") else {
                    continue;
                };
                if rel
                    .split_ascii_whitespace()
                    .any(|word| word == "stylesheet")
                {
                    push(&mut found, "/", href, Kind::Style);
                } else if rel == "modulepreload" {
                    push(&mut found, "/", href, Kind::Module);
                }
            }
            _ => {}
        }
    }
    found.dedup();
    found
}

/// What a module at `base` imports statically, as written by Vite: absolute
/// paths on the origin, or relative ones.
pub(super) fn of_module(base: &str, source: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut at_statement = true;
    let mut offset = 0;
    while offset < source.len() {
        let rest = &source[offset..];
        let Some(c) = rest.chars().next() else { break };
        if at_statement
            && (rest.starts_with("import") || rest.starts_with("export"))
            && let Some((path, length)) = statement(rest)
        {
            push(&mut found, base, path, Kind::Module);
            offset += length;
            continue;
        }
        at_statement = match c {
            '\n' | ';' => true,
            c if c.is_whitespace() => at_statement,
            _ => false,
        };
        offset += c.len_utf8();
    }
    found
}

/// The specifier of an import or re-export at the start of `text`, and how much
/// of the text it takes.
fn statement(text: &str) -> Option<(&str, usize)> {
    let keyword = "import".len();
    let after = &text[keyword..];
    if !after.starts_with([' ', '"', '\'', '{', '*', '\n']) {
        return None;
    }
    let quote_at = after.find(['"', '\''])?;
    let clause = after[..quote_at].trim();
    let only_names = clause
        .chars()
        .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_$,{}*".contains(c));
    let from = clause.ends_with("from");
    if !only_names || !(from || (clause.is_empty() && text.starts_with("import"))) {
        return None;
    }
    let quote = after[quote_at..].chars().next()?;
    let path_start = quote_at + 1;
    let path_length = after[path_start..].find([quote, '\n'])?;
    let path = &after[path_start..path_start + path_length];
    Some((path, keyword + path_start + path_length + 1))
}

/// Adds a reference if it lies on the same origin.
fn push(found: &mut Vec<Reference>, base: &str, url: &str, kind: Kind) {
    let url = url.split('#').next().unwrap_or("");
    let path = if url.starts_with("//")
        || url.contains("://")
        || url.starts_with("data:")
        || url.is_empty()
    {
        return;
    } else if url.starts_with('/') {
        url.to_owned()
    } else if url.starts_with("./") || url.starts_with("../") || base == "/" {
        join(base, url)
    } else {
        // A bare specifier: only a bundler knows what it means.
        return;
    };
    let reference = Reference { path, kind };
    if !found.contains(&reference) {
        found.push(reference);
    }
}

fn join(base: &str, relative: &str) -> String {
    let base = base.split('?').next().unwrap_or("/");
    let directory = base.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where the tag ends that `text` begins with, quotes respected.
fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '>') => return index,
            _ => {}
        }
    }
    text.len()
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let key_end = rest
            .find(|c: char| c.is_whitespace() || c == '=' || c == '/')
            .unwrap_or(rest.len());
        let key = &rest[..key_end];
        rest = rest[key_end..].trim_start();
        let value = if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let (value, left) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    after[1..].split_once(quote).unwrap_or((&after[1..], ""))
                }
                _ => {
                    let end = after.find(char::is_whitespace).unwrap_or(after.len());
                    after.split_at(end)
                }
            };
            rest = left;
            value
        } else if key.is_empty() {
            // A stray character: step over it.
            let mut chars = rest.chars();
            chars.next();
            rest = chars.as_str();
            ""
        } else {
            ""
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
    }
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let needle = needle.as_bytes();
    text.as_bytes()
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(references: &[Reference]) -> Vec<(&str, Kind)> {
        references
            .iter()
            .map(|r| (r.path.as_str(), r.kind))
            .collect()
    }

    #[test]
    fn a_vite_page_names_its_client_entry_and_styles() {
        let html = r#"<!doctype html><html><head>
            <script type="module">import { injectIntoGlobalHook } from "/@react-refresh";
injectIntoGlobalHook(window);</script>
            <script type="module" src="/@vite/client"></script>
            <!-- <script src="/commented.js"></script> -->
            <link rel="icon" href="/icon.svg"><LINK REL=stylesheet HREF=/a.css>
            <script src='https://elsewhere.example/x.js'></script></head>
            <body><div id="root" title="a > b"></div><script type="module" src="/src/main.tsx"></script></body></html>"#;
        assert_eq!(
            paths(&of_html(html)),
            [
                ("/@react-refresh", Kind::Module),
                ("/@vite/client", Kind::Module),
                ("/a.css", Kind::Style),
                ("/src/main.tsx", Kind::Module),
            ]
        );
    }

    #[test]
    fn imports_are_found_and_look_alikes_are_not() {
        let source = "import { a,\n  b } from \"/src/a.ts?t=1\";import \"./b.css\";\n\
            export * from '../c.js'\nconst x = import(\"/dynamic.js\");\n\
            const text = 'import y from \"/no.js\"';\nimport React from \"react\";\n\
            important(\"/no2.js\");\nimport def, * as all from \"/d.js\";";
        assert_eq!(
            paths(&of_module("/src/deep/main.tsx?v=1", source)),
            [
                ("/src/a.ts?t=1", Kind::Module),
                ("/src/deep/b.css", Kind::Module),
                ("/src/c.js", Kind::Module),
                ("/d.js", Kind::Module),
            ]
        );
    }

    #[test]
    fn a_missing_module_that_answers_with_the_page_is_refused() {
        assert!(!Kind::Module.accepts("text/html"));
        assert!(Kind::Module.accepts("text/javascript; charset=utf-8"));
        assert!(Kind::Style.accepts("text/css"));
        assert!(!Kind::Style.accepts("text/javascript"));
    }

    #[test]
    fn broken_pages_end() {
        for html in [
            "<",
            "<script",
            "<script src=",
            "<script src=\"x",
            "<link rel=\"stylesheet\" href",
            "<!--",
            "<a =>",
        ] {
            of_html(html);
        }
        for source in [
            "import",
            "import \"",
            "import {",
            "export * from",
            "import 'é",
        ] {
            of_module("/", source);
        }
    }
}
