//! The operation parser: a model's answer, as it comes, to events and
//! operations. It judges no path and applies nothing: that is
//! [`crate::domain::operation`]. It never fails: what is not right is said in
//! its [`Ending`].
//!
//! How an answer is read, line by line:
//!
//! - A tag counts at the start of a line, after at most three spaces; anywhere
//!   else, and indented like code, it is prose. It stands on one line.
//! - A block (`kiln-write`, `kiln-edit`) ends only at its own closing tag, alone
//!   on a line and indented no deeper than its opening tag. Other tags inside a
//!   block are content.
//! - A Markdown fence on the first line of a block is dropped, and then one on
//!   its last line; in a Markdown file only a fence that says Markdown.
//! - CRLF is LF, U+0000 and what is not UTF-8 is U+FFFD, in prose and content.
//! - A line that says `kiln-` where a tag counts and is none is malformed, and
//!   shown as prose. Nothing is skipped silently.
//!
//! Any split of the bytes gives the same events, once neighbouring pieces are
//! joined. Only what may still become a tag or a fence is held back: the
//! beginning of a line. The work is linear; [`OperationParser::bytes_visited`]
//! counts it. The caller bounds the answer.

mod answer;
mod block;
mod decode;
mod hunks;
mod line;
mod tag;

pub use self::answer::{Ending, Malformed, Open, ParserEvent};
use self::block::Block;
use self::decode::Decoder;
use self::line::{Fence, Likeness};
use self::tag::{Name, Tag, TagError};
use crate::domain::text::beginning;

/// Longest line with a tag, in bytes.
pub const TAG_BYTES_MAX: usize = 4 * 1024;
/// How much of a malformed line is kept, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// Reads one answer. Give it bytes with [`push`](Self::push), then
/// [`finish`](Self::finish) it.
#[derive(Debug, Default)]
pub struct OperationParser {
    decoder: Decoder,
    line: LineState,
    block: Option<Block>,
    next_index: i32,
    ending: Ending,
    bytes_visited: u64,
}

/// Where in a line the parser is.
#[derive(Debug)]
enum LineState {
    /// At its beginning; this may still become something special.
    Held(String),
    /// In a tag, which ends with the line.
    Tag(String),
    /// Past what could have been special.
    Passing,
}

impl Default for LineState {
    fn default() -> Self {
        Self::Held(String::new())
    }
}

impl OperationParser {
    /// A parser for one answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the answer. Events go to the end of `out`; a
    /// piece is joined to a piece of the same text that is last there.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<ParserEvent>) {
        self.visit(bytes.len());
        let text = self.decoder.decode(bytes);
        self.text(&text, out);
    }

    /// Reads the end of the answer.
    #[must_use]
    pub fn finish(mut self, out: &mut Vec<ParserEvent>) -> Ending {
        let rest = self.decoder.finish();
        self.text(&rest, out);
        match std::mem::replace(&mut self.line, LineState::Passing) {
            LineState::Held(line) if !line.is_empty() => self.whole_line(line, out),
            LineState::Tag(line) => match tag::parse(&line) {
                Err(TagError::Unfinished) => {
                    self.ending.open = Some(Open::Tag { line: shown(&line) });
                    self.emit(&line, out);
                }
                Ok(_) | Err(TagError::Wrong(_)) => self.tag_line(&line, out),
            },
            LineState::Held(_) | LineState::Passing => {}
        }
        self.emit_held_fence(out);
        if let Some(block) = self.block {
            self.ending.open = Some(Open::Block {
                index: block.index,
                kind: block.kind,
                path: block.path,
                size_bytes: block::size(&block.content),
            });
        }
        self.ending
    }

    /// How many bytes were looked at so far, each time counted. At most a
    /// constant times the bytes that were pushed.
    #[must_use]
    pub const fn bytes_visited(&self) -> u64 {
        self.bytes_visited
    }

    fn text(&mut self, text: &str, out: &mut Vec<ParserEvent>) {
        for piece in text.split_inclusive('\n') {
            self.visit(piece.len());
            self.piece(piece, out);
        }
    }

    /// A line, or a part of one that goes on.
    fn piece(&mut self, piece: &str, out: &mut Vec<ParserEvent>) {
        let ended = piece.ends_with('\n');
        let line = std::mem::replace(&mut self.line, LineState::Passing);
        self.line = match line {
            LineState::Passing => {
                self.emit(piece, out);
                LineState::Passing
            }
            LineState::Tag(mut line) => {
                line.push_str(piece);
                self.tag_part(line, ended, out)
            }
            LineState::Held(mut line) => {
                line.push_str(piece);
                if ended {
                    self.whole_line(line, out);
                    LineState::Passing
                } else {
                    self.held_part(line, out)
                }
            }
        };
        if ended {
            self.line = LineState::default();
        }
    }

    /// The beginning of a line that has not ended: whether to wait for more.
    fn held_part(&mut self, line: String, out: &mut Vec<ParserEvent>) -> LineState {
        self.visit(line.len());
        let likeness = match &self.block {
            None => line::like_tag(&line),
            Some(block) if block.may_become_special(&line) => Likeness::Possible,
            Some(_) => Likeness::Not,
        };
        match likeness {
            Likeness::Possible => LineState::Held(line),
            Likeness::Certain => self.tag_part(line, false, out),
            Likeness::Not => {
                self.emit_held_fence(out);
                self.plain(&line, out);
                LineState::Passing
            }
        }
    }

    /// A line that is a tag, or the beginning of it.
    fn tag_part(&mut self, line: String, ended: bool, out: &mut Vec<ParserEvent>) -> LineState {
        if line.len() > TAG_BYTES_MAX {
            self.malformed(&line, format!("a tag has at most {TAG_BYTES_MAX} bytes"));
            self.emit(&line, out);
        } else if ended {
            self.tag_line(&line, out);
        } else {
            return LineState::Tag(line);
        }
        LineState::Passing
    }

    /// A line from its beginning to its end.
    fn whole_line(&mut self, line: String, out: &mut Vec<ParserEvent>) {
        self.visit(line.len());
        let Some(block) = &mut self.block else {
            if line::like_tag(&line) == Likeness::Certain {
                self.tag_part(line, true, out);
            } else {
                self.emit(&line, out);
            }
            return;
        };
        if line::is_closing(&line, block.closing_tag, block.indent) {
            return self.close(out);
        }
        if block.first_line
            && let Fence::Opening(backticks) = line::fence(&line, &block.path)
        {
            block.first_line = false;
            block.fence = Some(backticks);
            return;
        }
        let closes_fence = block
            .fence
            .as_deref()
            .is_some_and(|fence| line::is_closing_fence(&line, fence));
        self.emit_held_fence(out);
        if closes_fence {
            self.hold_fence(line);
        } else {
            self.plain(&line, out);
        }
    }

    fn tag_line(&mut self, line: &str, out: &mut Vec<ParserEvent>) {
        self.visit(line.len());
        let tag = match tag::parse(line) {
            Ok(tag) => tag,
            Err(problem) => {
                self.malformed(line, problem.to_string());
                return self.emit(line, out);
            }
        };
        match tag.name {
            Name::Write | Name::Edit => self.block_tag(line, &tag, out),
            Name::Rename | Name::Delete | Name::AddDependency | Name::Read => {
                self.plain_tag(line, &tag, out);
            }
        }
    }

    /// A tag of a block, outside of one.
    fn block_tag(&mut self, line: &str, tag: &Tag<'_>, out: &mut Vec<ParserEvent>) {
        let closing_tag = tag.name.closing_tag();
        let problem = if tag.is_closing {
            Some("there is no block to close")
        } else if tag.is_closed {
            Some("it needs content and a closing tag")
        } else if tag.rest.trim_end().ends_with(closing_tag) {
            Some("the closing tag stands on a line of its own")
        } else {
            None
        };
        if let Some(problem) = problem {
            self.malformed(line, problem.to_owned());
            return self.emit(line, out);
        }
        let (path, problem) = match tag.required("path") {
            Ok(path) => (path.to_owned(), None),
            Err(problem) => (String::new(), Some(problem)),
        };
        let kind = tag.name.kind();
        let index = self.take_index();
        out.push(ParserEvent::FileStarted {
            index,
            kind,
            path: path.clone(),
        });
        self.block = Some(Block {
            index,
            kind,
            path,
            line: shown(line),
            problem,
            closing_tag,
            indent: line::indent(line),
            content: String::new(),
            first_line: true,
            fence: None,
            held_fence: None,
        });
        // Content that follows the tag on its line is the first line of it.
        if !tag.rest.trim().is_empty() {
            self.whole_line(tag.rest.to_owned(), out);
        }
    }

    /// A tag of an operation without content.
    fn plain_tag(&mut self, line: &str, tag: &Tag<'_>, out: &mut Vec<ParserEvent>) {
        let rest = tag.rest.trim();
        if tag.is_closing && rest.is_empty() {
            // Of a tag that was not closed in itself; that one counted.
            return;
        }
        let operation = if tag.is_closing || rest.contains("<kiln-") {
            Err("each tag stands on a line of its own".to_owned())
        } else {
            tag.operation()
        };
        match operation {
            Ok(operation) => {
                let index = self.take_index();
                self.ending.operations.push(operation.clone());
                out.push(ParserEvent::Operation { index, operation });
                if !rest.is_empty() && rest != tag.name.closing_tag() {
                    self.emit(tag.rest, out);
                }
            }
            Err(problem) => {
                self.malformed(line, problem);
                self.emit(line, out);
            }
        }
    }

    /// The end of the block.
    fn close(&mut self, out: &mut Vec<ParserEvent>) {
        let Some(block) = self.block.take() else {
            return;
        };
        self.visit(block.content.len());
        out.push(ParserEvent::FileFinished {
            index: block.index,
            size_bytes: block::size(&block.content),
        });
        match block.operation() {
            Ok(operation) => self.ending.operations.push(operation),
            Err(malformed) => self.ending.malformed.push(malformed),
        }
    }

    /// Content or prose that is not special.
    fn plain(&mut self, text: &str, out: &mut Vec<ParserEvent>) {
        if let Some(block) = &mut self.block {
            block.first_line = false;
        }
        self.emit(text, out);
    }

    fn hold_fence(&mut self, line: String) {
        if let Some(block) = &mut self.block {
            block.first_line = false;
            block.held_fence = Some(line);
        }
    }

    fn emit_held_fence(&mut self, out: &mut Vec<ParserEvent>) {
        if let Some(fence) = self
            .block
            .as_mut()
            .and_then(|block| block.held_fence.take())
        {
            self.emit(&fence, out);
        }
    }

    /// A piece of the block, or of prose outside of one.
    fn emit(&mut self, text: &str, out: &mut Vec<ParserEvent>) {
        if text.is_empty() {
            return;
        }
        self.visit(text.len());
        if let Some(block) = &mut self.block {
            block.content.push_str(text);
            match out.last_mut() {
                Some(ParserEvent::FileDelta { index, text: last }) if *index == block.index => {
                    last.push_str(text);
                }
                _ => out.push(ParserEvent::FileDelta {
                    index: block.index,
                    text: text.to_owned(),
                }),
            }
        } else if let Some(ParserEvent::Text(last)) = out.last_mut() {
            last.push_str(text);
        } else {
            out.push(ParserEvent::Text(text.to_owned()));
        }
    }

    fn malformed(&mut self, line: &str, problem: String) {
        self.ending.malformed.push(Malformed {
            index: None,
            line: shown(line),
            problem,
        });
    }

    fn take_index(&mut self) -> i32 {
        let index = self.next_index;
        self.next_index = index.saturating_add(1);
        index
    }

    fn visit(&mut self, bytes: usize) {
        self.bytes_visited = self
            .bytes_visited
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

fn shown(line: &str) -> String {
    beginning(line.trim(), SHOWN_BYTES_MAX).to_owned()
}

#[cfg(test)]
mod tests;
