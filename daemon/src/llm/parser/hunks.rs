//! The hunks of an edit: lines between markers, each marker alone on a line.

use crate::domain::operation::Hunk;

const SEARCH: &str = "<<<<<<< SEARCH";
const MIDDLE: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";

enum Place {
    Outside,
    Search(String),
    Replace(String, String),
}

/// The hunks in the content of an edit, or what is wrong with it.
pub(super) fn parse(content: &str) -> Result<Vec<Hunk>, String> {
    let mut hunks = Vec::new();
    let mut place = Place::Outside;
    for line in content.split_inclusive('\n') {
        let number = hunks.len() + 1;
        place = match (place, line.trim_end()) {
            (Place::Outside, SEARCH) => Place::Search(String::new()),
            (Place::Outside, "") => Place::Outside,
            (Place::Outside, _) => {
                return Err(format!("hunk {number} does not begin with {SEARCH}"));
            }
            (Place::Search(search), MIDDLE) => Place::Replace(search, String::new()),
            (Place::Search(_), SEARCH | REPLACE) => {
                return Err(format!("hunk {number} has no line {MIDDLE}"));
            }
            (Place::Search(mut search), _) => {
                search.push_str(line);
                Place::Search(search)
            }
            (Place::Replace(search, replace), REPLACE) => {
                hunks.push(Hunk { search, replace });
                Place::Outside
            }
            (Place::Replace(..), SEARCH) => {
                return Err(format!("hunk {number} does not end with {REPLACE}"));
            }
            (Place::Replace(search, mut replace), _) => {
                replace.push_str(line);
                Place::Replace(search, replace)
            }
        };
    }
    match place {
        Place::Outside if hunks.is_empty() => Err(format!("there is no hunk: no line {SEARCH}")),
        Place::Outside => Ok(hunks),
        Place::Search(_) => Err(format!("hunk {} has no line {MIDDLE}", hunks.len() + 1)),
        Place::Replace(..) => Err(format!(
            "hunk {} does not end with {REPLACE}",
            hunks.len() + 1
        )),
    }
}
