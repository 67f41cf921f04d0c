//! A screen as a picture: text in a window, which can be read on a light and on
//! a dark page.
//!
//! The grid is kept whatever font is there: every run of text says how wide it
//! is. Lines and bars are drawn, since fonts leave gaps between them.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const FONT: f64 = 14.0;
/// From the top of a cell to the line that letters stand on.
const BASE: f64 = 13.5;
/// Room around the screen.
const MARGIN: f64 = 14.0;

const GROUND: &str = "#11151c";
const TEXT: &str = "#dce3ec";
const EDGE: &str = "#3a4250";
/// The sixteen colours of a terminal.
const COLORS: [&str; 16] = [
    "#3a4250", "#f2777a", "#8fca7c", "#f0c674", "#7aa9f7", "#c99bf0", "#6fcbd3", "#dce3ec",
    "#6b7686", "#ff9a9c", "#a9e095", "#ffdc94", "#9dc1ff", "#dcb8ff", "#93e2e8", "#ffffff",
];
/// How strong dim text is.
const DIM: &str = "0.62";

/// How a cell looks.
#[derive(Clone, PartialEq)]
struct Looks {
    fore: String,
    back: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

/// The picture.
pub(crate) fn picture(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let width = f64::from(columns) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(rows) * CELL.1 + 2.0 * MARGIN;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\" \
         aria-label=\"The workspace of kiln: conversation, files and logs\">\n\
         <style>text{{font:{FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,\
         'DejaVu Sans Mono','Liberation Mono',monospace;white-space:pre}}</style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{:.1}\" height=\"{:.1}\" rx=\"9\" fill=\"{GROUND}\" \
         stroke=\"{EDGE}\"/>",
        width - 1.0,
        height - 1.0,
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let end = run_end(screen, row, column, columns);
            run(&mut svg, screen, row, column..end);
            column = end;
        }
    }
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let (x, y) = place(row, column);
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"2\" height=\"{:.1}\" fill=\"{TEXT}\"/>",
            CELL.1
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where the cells that look the same end.
fn run_end(screen: &Screen, row: u16, first: u16, columns: u16) -> u16 {
    let of = looks(screen.cell(row, first));
    (first + 1..columns)
        .find(|column| looks(screen.cell(row, *column)) != of)
        .unwrap_or(columns)
}

fn run(svg: &mut String, screen: &Screen, row: u16, columns: std::ops::Range<u16>) {
    let looks = looks(screen.cell(row, columns.start));
    let (x, y) = place(row, columns.start);
    if let Some(back) = &looks.back {
        let width = f64::from(columns.end - columns.start) * CELL.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    // Words are placed one by one: where a font is wider, only a word is squeezed.
    let mut word = String::new();
    let mut begin = columns.start;
    let mut width = 0;
    for column in columns {
        let Some(cell) = screen.cell(row, column) else {
            continue;
        };
        if cell.is_wide_continuation() {
            width += 1;
            continue;
        }
        let text = cell.contents();
        let line = line(text);
        if text.trim().is_empty() || line.is_some() {
            text_at(svg, (row, begin), width, &word, &looks);
            word.clear();
            width = 0;
            if let Some(line) = line {
                draw_line(svg, (row, column), line, &looks);
            }
            continue;
        }
        if word.is_empty() {
            begin = column;
        }
        word.push_str(text);
        width += 1;
    }
    text_at(svg, (row, begin), width, &word, &looks);
}

fn text_at(svg: &mut String, at: (u16, u16), cells: u16, word: &str, looks: &Looks) {
    if word.is_empty() {
        return;
    }
    let (x, y) = place(at.0, at.1);
    let width = f64::from(cells) * CELL.0;
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\"{}>{}</text>",
        y + BASE,
        attributes(looks),
        escaped(word)
    );
}

fn attributes(looks: &Looks) -> String {
    let mut all = format!(" fill=\"{}\"", looks.fore);
    for (is, attribute) in [
        (looks.bold, " font-weight=\"bold\"".to_owned()),
        (looks.italic, " font-style=\"italic\"".to_owned()),
        (looks.underline, " text-decoration=\"underline\"".to_owned()),
        (looks.dim, format!(" opacity=\"{DIM}\"")),
    ] {
        if is {
            all.push_str(&attribute);
        }
    }
    all
}

/// A part of a cell that is filled: left, top, width, height, of one.
type Part = (f64, f64, f64, f64);

/// Characters that are lines or bars.
fn line(text: &str) -> Option<Part> {
    Some(match text {
        "─" => (0.0, 0.47, 1.0, 0.06),
        "━" => (0.0, 0.44, 1.0, 0.12),
        "│" => (0.44, 0.0, 0.12, 1.0),
        "▌" => (0.0, 0.0, 0.5, 1.0),
        "▐" => (0.5, 0.0, 0.5, 1.0),
        "█" => (0.0, 0.0, 1.0, 1.0),
        _ => return None,
    })
}

fn draw_line(svg: &mut String, at: (u16, u16), part: Part, looks: &Looks) {
    let (x, y) = place(at.0, at.1);
    let opacity = if looks.dim {
        format!(" opacity=\"{DIM}\"")
    } else {
        String::new()
    };
    let _ = writeln!(
        svg,
        "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"{opacity}/>",
        x + part.0 * CELL.0,
        y + part.1 * CELL.1,
        part.2 * CELL.0,
        part.3 * CELL.1,
        looks.fore,
    );
}

fn looks(cell: Option<&Cell>) -> Looks {
    let Some(cell) = cell else {
        return Looks {
            fore: TEXT.to_owned(),
            back: None,
            bold: false,
            dim: false,
            italic: false,
            underline: false,
        };
    };
    let fore = color(cell.fgcolor()).unwrap_or_else(|| TEXT.to_owned());
    let back = color(cell.bgcolor());
    let (fore, back) = if cell.inverse() {
        (back.unwrap_or_else(|| GROUND.to_owned()), Some(fore))
    } else {
        (fore, back)
    };
    Looks {
        fore,
        back,
        bold: cell.bold(),
        dim: cell.dim(),
        italic: cell.italic(),
        underline: cell.underline(),
    }
}

/// `None` for the terminal's own.
fn color(color: Color) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Idx(index) => Some(match index {
            0..16 => COLORS[usize::from(index)].to_owned(),
            16..232 => {
                let steps = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
                let cube = index - 16;
                let (red, green, blue) = (cube / 36, cube / 6 % 6, cube % 6);
                format!("#{:02x}{:02x}{:02x}", steps(red), steps(green), steps(blue))
            }
            232.. => {
                let grey = 8 + 10 * (index - 232);
                format!("#{grey:02x}{grey:02x}{grey:02x}")
            }
        }),
    }
}

fn place(row: u16, column: u16) -> (f64, f64) {
    (
        MARGIN + f64::from(column) * CELL.0,
        MARGIN + f64::from(row) * CELL.1,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
