//! Prose as models write it: Markdown, laid out in rows of a width. What is not
//! finished yet is shown as far as it goes; HTML is shown as text.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::code::Highlighter;
use super::{Role, Row, columns, wrap};

/// Lays out a text.
#[must_use]
pub fn rows(source: &str, width: usize) -> Vec<Row> {
    let mut writer = Writer {
        width: width.max(1),
        ..Writer::default()
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(source, options) {
        writer.event(event);
    }
    writer.flush();
    while writer.rows.last().is_some_and(|row| row.pieces.is_empty()) {
        writer.rows.pop();
    }
    writer.rows
}

/// What stands before the rows of a block: a quote's line, an item's sign.
#[derive(Clone, Debug)]
struct Lead {
    /// Before the first row; taken when it was written.
    first: Option<Row>,
    rest: Row,
}

/// A table that is being read.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<Row>>,
}

#[derive(Default)]
struct Writer {
    width: usize,
    rows: Vec<Row>,
    line: Row,
    roles: Vec<Role>,
    leads: Vec<Lead>,
    /// Numbers of the lists that are open; `None` for those without.
    lists: Vec<Option<u64>>,
    code: Option<(Highlighter, String)>,
    table: Option<Table>,
    link: Option<String>,
    /// Whether a row of room is due before the next block.
    gap: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => self.inline(&text, Role::InlineCode),
            Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::SoftBreak => self.inline(" ", self.role()),
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.block();
                let line = "─".repeat(self.width.min(40));
                self.line = Row::new(Role::Border, line);
                self.flush();
                self.gap = true;
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(&text)
            }
            Event::TaskListMarker(done) => {
                self.inline(if done { "[x] " } else { "[ ] " }, Role::Dim);
            }
        }
    }

    fn role(&self) -> Role {
        self.roles.last().copied().unwrap_or_default()
    }

    fn text(&mut self, text: &str) {
        if let Some((_, code)) = &mut self.code {
            code.push_str(text);
            return;
        }
        // HTML may come with its line ends.
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.flush();
            }
            self.inline(line, self.role());
        }
    }

    fn inline(&mut self, text: &str, role: Role) {
        let text = text.replace('\t', " ");
        if let Some(table) = &mut self.table
            && let Some(cell) = table.rows.last_mut().and_then(|row| row.last_mut())
        {
            cell.push(role, text);
            return;
        }
        self.line.push(role, text);
    }

    /// A block begins: room before it, where one came before.
    fn block(&mut self) {
        self.flush();
        if std::mem::take(&mut self.gap) && !self.rows.is_empty() {
            let lead = self.lead(false);
            self.rows.push(wrap::cut(&lead, self.width));
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(),
            Tag::Heading { level, .. } => {
                self.block();
                self.roles.push(Role::Heading);
                if level == HeadingLevel::H1 {
                    self.gap = true;
                }
            }
            Tag::BlockQuote(_) => {
                self.block();
                let line = Row::new(Role::Border, "│ ");
                self.leads.push(Lead {
                    first: None,
                    rest: line,
                });
                self.roles.push(Role::Dim);
            }
            Tag::CodeBlock(kind) => {
                self.block();
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',']).next().unwrap_or(""),
                    CodeBlockKind::Indented => "",
                };
                self.code = Some((Highlighter::named(language), String::new()));
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.block();
                } else {
                    self.flush();
                    self.gap = false;
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.flush();
                self.gap = false;
                let sign = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let sign = format!("{number}. ");
                        *number = number.saturating_add(1);
                        sign
                    }
                    Some(None) | None => "• ".to_owned(),
                };
                let pad = " ".repeat(columns::width(&sign));
                self.leads.push(Lead {
                    first: Some(Row::new(Role::Dim, sign)),
                    rest: Row::new(Role::Text, pad),
                });
            }
            Tag::Emphasis => self.roles.push(Role::Emphasis),
            Tag::Strong => self.roles.push(Role::Strong),
            Tag::Strikethrough => self.roles.push(Role::Dim),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.link = Some(dest_url.into_string());
                self.roles.push(Role::Link);
            }
            Tag::Table(_) => {
                self.block();
                self.table = Some(Table::default());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::TableCell => {
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(Row::default());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => {
                self.flush();
                self.gap = true;
            }
            TagEnd::Heading(_) => {
                self.flush();
                self.roles.pop();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.leads.pop();
                self.roles.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => {
                self.code_block();
                self.gap = true;
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.gap = self.lists.is_empty();
            }
            TagEnd::Item => {
                self.flush();
                self.leads.pop();
                self.gap = false;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.roles.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.roles.pop();
                if let Some(url) = self.link.take()
                    && !self.line.plain().ends_with(&url)
                    && !url.is_empty()
                {
                    self.inline(&format!(" ({url})"), Role::Dim);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.write_table(&table);
                }
                self.gap = true;
            }
            _ => {}
        }
    }

    /// What stands before the next row, from the outermost to the innermost.
    fn lead(&mut self, takes_first: bool) -> Row {
        let mut row = Row::default();
        for lead in &mut self.leads {
            let part = match (&lead.first, takes_first) {
                (Some(_), true) => lead.first.take().unwrap_or_default(),
                (Some(_), false) | (None, _) => lead.rest.clone(),
            };
            for piece in part.pieces {
                row.push(piece.role, piece.text);
            }
        }
        row
    }

    /// Writes the line that was read so far.
    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.plain().trim().is_empty() {
            return;
        }
        let first = self.lead(true);
        let rest = self.lead(false);
        self.rows
            .extend(wrap::wrap(&line, &first, &rest, self.width));
    }

    fn code_block(&mut self) {
        let Some((mut highlighter, code)) = self.code.take() else {
            return;
        };
        for line in code.lines() {
            let mut row = self.lead(true);
            row.push(Role::Text, "  ");
            for piece in highlighter.line(line).pieces {
                row.push(piece.role, piece.text);
            }
            self.rows.push(wrap::cut(&row, self.width));
        }
    }

    fn write_table(&mut self, table: &Table) {
        let count = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count)
            .map(|column| {
                let cells = table.rows.iter().filter_map(|row| row.get(column));
                cells.map(Row::width).max().unwrap_or(0)
            })
            .collect();
        let lead = self.lead(false).width();
        let fits = lead + widths.iter().map(|width| width + 3).sum::<usize>() <= self.width + 3;
        for (index, cells) in table.rows.iter().enumerate() {
            let mut row = Row::default();
            for (column, cell) in cells.iter().enumerate() {
                if column > 0 {
                    row.push(Role::Border, " │ ");
                }
                for piece in &cell.pieces {
                    let role = if index == 0 { Role::Strong } else { piece.role };
                    row.push(role, piece.text.clone());
                }
                if fits {
                    let pad = widths[column].saturating_sub(cell.width());
                    row.push(Role::Text, " ".repeat(pad));
                }
            }
            let (first, rest) = (self.lead(true), self.lead(false));
            if fits {
                let mut whole = first;
                for piece in row.pieces {
                    whole.push(piece.role, piece.text);
                }
                self.rows.push(wrap::cut(&whole, self.width));
            } else {
                self.rows
                    .extend(wrap::wrap(&row, &first, &rest, self.width));
            }
        }
    }
}

#[cfg(test)]
mod tests;
