//! What was measured, for people and for programs. Nothing is judged here but
//! whether a bar is held.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// Figures that belong together.
pub(crate) struct Section {
    /// What was measured, and how.
    pub(crate) title: String,
    /// Beside each other.
    pub(crate) figures: Vec<Figure>,
}

/// What was measured of one thing.
pub(crate) struct Figure {
    /// The thing.
    pub(crate) subject: String,
    /// The same names in all of a section.
    pub(crate) values: Vec<(&'static str, Amount)>,
    /// To the floor of the section.
    pub(crate) ratio: Option<f64>,
    /// Where the bar is.
    pub(crate) bar: Option<Bar>,
}

/// A bar, and whether it is held.
pub(crate) struct Bar {
    /// What it asks for.
    pub(crate) words: String,
    /// Whether it is so.
    pub(crate) held: bool,
}

/// A number with what it counts.
#[derive(Clone, Copy)]
pub(crate) enum Amount {
    /// Milliseconds.
    Ms(f64),
    /// Millions of bytes.
    Mb(f64),
    /// Of one core.
    Percent(f64),
    /// How many.
    Count(u64),
}

impl Amount {
    fn words(self) -> String {
        match self {
            Self::Ms(ms) if ms < 10.0 => format!("{ms:.3} ms"),
            Self::Ms(ms) => format!("{ms:.1} ms"),
            Self::Mb(mb) => format!("{mb:.1} MB"),
            Self::Percent(percent) => format!("{percent:.3} %"),
            Self::Count(count) => count.to_string(),
        }
    }

    fn number(self) -> Value {
        match self {
            Self::Ms(value) | Self::Mb(value) | Self::Percent(value) => json!(value),
            Self::Count(count) => json!(count),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Ms(_) => "ms",
            Self::Mb(_) => "mb",
            Self::Percent(_) => "percent",
            Self::Count(_) => "count",
        }
    }
}

impl Bar {
    fn verdict(&self) -> String {
        let held = if self.held { "held" } else { "MISSED" };
        format!("{held}: {}", self.words)
    }
}

/// One table for each section.
pub(crate) fn print(out: &mut impl Write, sections: &[Section]) -> io::Result<()> {
    for section in sections {
        let mut table = vec![headings(section)];
        table.extend(section.figures.iter().map(cells));
        let columns = table.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = table.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &table {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                if index == 0 || index + 1 == columns {
                    line.push_str(&format!("{cell:<width$}  "));
                } else {
                    line.push_str(&format!("{cell:>width$}  "));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn headings(section: &Section) -> Vec<String> {
    let names = section.figures.first().map_or(&[][..], |f| &f.values);
    let mut row = vec![section.title.clone()];
    row.extend(names.iter().map(|(name, _)| (*name).to_owned()));
    row.extend(["ratio".to_owned(), String::new()]);
    row
}

fn cells(figure: &Figure) -> Vec<String> {
    let mut row = vec![format!("  {}", figure.subject)];
    row.extend(figure.values.iter().map(|(_, amount)| amount.words()));
    row.push(
        figure
            .ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.1}")),
    );
    row.push(figure.bar.as_ref().map_or_else(String::new, Bar::verdict));
    row
}

/// One JSON object a line.
pub(crate) fn print_json(out: &mut impl Write, sections: &[Section]) -> io::Result<()> {
    for section in sections {
        for figure in &section.figures {
            let mut object = Map::new();
            object.insert("section".into(), json!(section.title));
            object.insert("subject".into(), json!(figure.subject));
            for (name, amount) in &figure.values {
                let name = format!("{}_{}", name.replace(' ', "_"), amount.unit());
                object.insert(name, amount.number());
            }
            object.insert("ratio".into(), json!(figure.ratio));
            if let Some(bar) = &figure.bar {
                object.insert("bar".into(), json!(bar.words));
                object.insert("held".into(), json!(bar.held));
            }
            writeln!(out, "{}", Value::Object(object))?;
        }
    }
    Ok(())
}
