//! What the demo model reads in a request: the files that it is given, and the
//! prompt.

use serde::Deserialize;

/// A request, as far as the demo model reads it.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
}

/// A message.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    role: String,
    content: String,
}

impl Request {
    /// The last thing that the user said, without the files in it.
    pub(super) fn prompt(&self) -> String {
        let last = self.messages.iter().rev().find(|m| m.role == "user");
        let mut prompt = String::new();
        let mut inside = false;
        for line in last.map_or("", |m| m.content.as_str()).lines() {
            inside |= opened_path(line).is_some();
            if !inside {
                prompt.push_str(line);
                prompt.push('\n');
            }
            inside &= line != "</file>";
        }
        prompt.trim().to_owned()
    }

    /// The newest content of a file in the context, each line ended.
    pub(super) fn file(&self, path: &str) -> Option<String> {
        let users = self.messages.iter().filter(|m| m.role == "user");
        let mut newest = None;
        for message in users {
            let mut current: Option<String> = None;
            for line in message.content.lines() {
                match &mut current {
                    None if opened_path(line) == Some(path) => current = Some(String::new()),
                    None => {}
                    Some(_) if line == "</file>" => newest = current.take(),
                    Some(content) => {
                        content.push_str(line);
                        content.push('\n');
                    }
                }
            }
        }
        newest
    }

    /// Bytes of all messages.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|m| m.content.len()).sum()
    }
}

fn opened_path(line: &str) -> Option<&str> {
    let path = line.strip_prefix("<file path=\"")?;
    let end = path.find('"')?;
    path[end..].ends_with('>').then(|| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(messages: &[(&str, &str)]) -> Request {
        Request {
            model: String::new(),
            messages: messages
                .iter()
                .map(|(role, content)| Message {
                    role: (*role).to_owned(),
                    content: (*content).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn the_newest_content_of_a_file_counts() {
        let request = request(&[
            ("system", "<file path=\"a\">\nno\n</file>"),
            (
                "user",
                "files:\n<file path=\"a\">\nold\n</file>\n<file path=\"b\">\nother\n</file>",
            ),
            (
                "user",
                "<file path=\"a\">\nnew\n  two\n</file>\nmake it blue",
            ),
        ]);
        assert_eq!(request.file("a").as_deref(), Some("new\n  two\n"));
        assert_eq!(request.file("b").as_deref(), Some("other\n"));
        assert_eq!(request.file("c"), None);
        assert_eq!(request.prompt(), "make it blue");
    }

    #[test]
    fn a_file_that_is_not_closed_does_not_count() {
        let request = request(&[("user", "<file path=\"a\">\nhalf")]);
        assert_eq!(request.file("a"), None);
        assert_eq!(request.prompt(), "");
    }
}
