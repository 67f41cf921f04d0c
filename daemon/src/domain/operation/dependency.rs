//! Adding packages to the manifest of an app. Only names and ranges from the
//! registry: no URL, no path, no alias. What a range resolves to is the
//! package manager's business.

use serde::Serialize;
use serde_json::{Map, Value};

/// The manifest, at the root of a project.
pub(super) const MANIFEST: &str = "package.json";

/// Longest name of a package, by the registry's rule.
const NAME_BYTES_MAX: usize = 214;
/// Longest range.
const RANGE_BYTES_MAX: usize = 100;
/// Where packages are listed.
const SECTIONS: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "peerDependencies",
    "optionalDependencies",
];

/// Why a package cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyProblem {
    /// Nothing is named.
    #[error("no package is named")]
    NoPackages,
    /// It is not a name.
    #[error("{package:?} is not the name of a package")]
    Name {
        /// As given.
        package: String,
    },
    /// It is not a range of versions or a tag.
    #[error("{package:?} does not name a version, a range of versions or a tag")]
    Range {
        /// As given.
        package: String,
    },
    /// The manifest is not what it should be.
    #[error("it is not a manifest: {0}")]
    Manifest(String),
}

/// The manifest with the packages in it; its order of keys and its indentation
/// stay. A package that is there stays where it is, and as it is unless a
/// range is given.
pub(super) fn add(manifest: &[u8], packages: &[String]) -> Result<String, Vec<DependencyProblem>> {
    if packages.is_empty() {
        return Err(vec![DependencyProblem::NoPackages]);
    }
    let mut problems = Vec::new();
    let mut wanted = Vec::new();
    for package in packages {
        match parse(package) {
            Ok(parsed) => wanted.push(parsed),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    edit(manifest, &wanted).map_err(|problem| vec![DependencyProblem::Manifest(problem)])
}

fn edit(manifest: &[u8], wanted: &[(&str, Option<&str>)]) -> Result<String, String> {
    let mut root: Map<String, Value> =
        serde_json::from_slice(manifest).map_err(|error| error.to_string())?;
    for (name, range) in wanted {
        let section = SECTIONS.into_iter().find(|section| {
            root.get(*section)
                .is_some_and(|list| list.get(name).is_some())
        });
        let list = root
            .entry(section.unwrap_or(SECTIONS[0]))
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(list) = list else {
            return Err(format!("{:?} is not an object", SECTIONS[0]));
        };
        match (section, range) {
            (Some(_), None) => {}
            (Some(_), Some(range)) => {
                list.insert((*name).to_owned(), Value::from(*range));
            }
            (None, range) => insert_in_order(list, name, range.unwrap_or("latest")),
        }
    }
    let mut text = Vec::new();
    let indent = indentation(manifest);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&indent);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    root.serialize(&mut serializer)
        .map_err(|error| error.to_string())?;
    if manifest.ends_with(b"\n") {
        text.push(b'\n');
    }
    String::from_utf8(text).map_err(|error| error.to_string())
}

/// Before the first name that sorts after it, as package managers do.
fn insert_in_order(list: &mut Map<String, Value>, name: &str, range: &str) {
    let place = list.keys().position(|key| key.as_str() > name);
    list.shift_insert(
        place.unwrap_or(list.len()),
        name.to_owned(),
        Value::from(range),
    );
}

/// What the first indented line starts with; two spaces where there is none.
fn indentation(manifest: &[u8]) -> Vec<u8> {
    let indent: Vec<u8> = manifest
        .split(|&byte| byte == b'\n')
        .nth(1)
        .unwrap_or_default()
        .iter()
        .copied()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .take(8)
        .collect();
    if indent.is_empty() {
        b"  ".to_vec()
    } else {
        indent
    }
}

/// `name`, `name@range`, `@scope/name` or `@scope/name@range`.
fn parse(package: &str) -> Result<(&str, Option<&str>), DependencyProblem> {
    // An `@` at the start belongs to the scope.
    let at = package
        .char_indices()
        .skip(1)
        .find(|&(_, c)| c == '@')
        .map(|(at, _)| at);
    let (name, range) = match at {
        Some(at) => (&package[..at], Some(&package[at + 1..])),
        None => (package, None),
    };
    if !is_name(name) {
        return Err(DependencyProblem::Name {
            package: package.to_owned(),
        });
    }
    if range.is_some_and(|range| !is_range(range)) {
        return Err(DependencyProblem::Range {
            package: package.to_owned(),
        });
    }
    Ok((name, range))
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_'])
            && part
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'))
    };
    let parts = match name.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    parts && name.len() <= NAME_BYTES_MAX && name != "node_modules" && name != "favicon.ico"
}

fn is_range(range: &str) -> bool {
    !range.is_empty()
        && range.len() <= RANGE_BYTES_MAX
        && range.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'.' | b'-' | b'+' | b'_' | b'^' | b'~' | b'<' | b'>' | b'=' | b'|' | b'*'
                )
        })
}
