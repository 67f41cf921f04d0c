//! Colours, given to meanings. The only place that names a colour.
//!
//! Nothing is said by colour alone: what matters has a sign or a word too, so
//! that the client can be read without colours.

use ratatui::style::{Color, Modifier, Style};

use crate::text::Role;

/// Which colours there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// The sixteen colours of the terminal, as its owner chose them.
    #[default]
    Terminal,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// None at all.
    Plain,
}

impl Palette {
    /// Its name in the configuration and on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Plain => "plain",
        }
    }

    /// Finds one by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Terminal, Self::Dark, Self::Light, Self::Plain]
            .into_iter()
            .find(|palette| palette.name() == name)
    }

    /// The one after it, around.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Terminal => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Plain,
            Self::Plain => Self::Terminal,
        }
    }
}

/// How many colours a terminal shows, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// The sixteen that everybody has.
    Sixteen,
    /// 256: six steps of red, green and blue, and greys.
    Indexed,
    /// Any colour.
    #[default]
    True,
}

impl Depth {
    /// What the variables `COLORTERM` and `TERM` promise. No terminal answers
    /// before the first frame, so none is asked.
    #[must_use]
    pub fn of(color_term: Option<&str>, term: Option<&str>) -> Self {
        match (color_term, term) {
            (Some("truecolor" | "24bit"), _) => Self::True,
            (_, Some(term)) if term.ends_with("-direct") => Self::True,
            (_, Some(term)) if term.contains("256color") => Self::Indexed,
            _ => Self::Sixteen,
        }
    }
}

/// Gives each meaning its looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    palette: Palette,
    depth: Depth,
}

impl Theme {
    /// A theme of these colours, or of the nearest that the terminal has.
    #[must_use]
    pub fn new(palette: Palette, depth: Depth) -> Self {
        let palette = match (palette, depth) {
            (Palette::Dark | Palette::Light, Depth::Sixteen) => Palette::Terminal,
            (palette, _) => palette,
        };
        Self { palette, depth }
    }

    /// How a meaning looks.
    #[must_use]
    pub fn style(self, role: Role) -> Style {
        let style = match self.color(role) {
            Some(color) => Style::new().fg(color),
            None => Style::new(),
        };
        style.add_modifier(self.modifier(role))
    }

    /// How the selected line looks, over whatever its text means.
    #[must_use]
    pub fn selection(self, focused: bool) -> Style {
        match (self.palette, focused) {
            (Palette::Dark, true) => Style::new().bg(self.rgb(0x2d_3f_5e)),
            (Palette::Dark, false) => Style::new().bg(self.rgb(0x2a_2e_38)),
            (Palette::Light, true) => Style::new().bg(self.rgb(0xcf_e0_fa)),
            (Palette::Light, false) => Style::new().bg(self.rgb(0xe6_e8_ec)),
            (Palette::Terminal | Palette::Plain, true) => {
                Style::new().add_modifier(Modifier::REVERSED)
            }
            (Palette::Terminal | Palette::Plain, false) => {
                Style::new().add_modifier(Modifier::UNDERLINED)
            }
        }
    }

    /// The ground of the header and of overlays.
    #[must_use]
    pub fn raised(self) -> Style {
        match self.palette {
            Palette::Dark => Style::new().bg(self.rgb(0x1d_21_29)),
            Palette::Light => Style::new().bg(self.rgb(0xf1_f3_f6)),
            Palette::Terminal | Palette::Plain => Style::new(),
        }
    }

    fn rgb(self, hex: u32) -> Color {
        let [_, red, green, blue] = hex.to_be_bytes();
        match self.depth {
            Depth::True => Color::Rgb(red, green, blue),
            Depth::Indexed | Depth::Sixteen => Color::Indexed(indexed([red, green, blue])),
        }
    }

    fn color(self, role: Role) -> Option<Color> {
        match self.palette {
            Palette::Plain => None,
            Palette::Terminal => terminal(role),
            Palette::Dark => dark(role).map(|hex| self.rgb(hex)),
            Palette::Light => light(role).map(|hex| self.rgb(hex)),
        }
    }

    fn modifier(self, role: Role) -> Modifier {
        let plain = self.palette == Palette::Plain;
        match role {
            Role::Strong | Role::Heading | Role::BorderFocus | Role::User => Modifier::BOLD,
            Role::Emphasis => Modifier::ITALIC,
            Role::Link => Modifier::UNDERLINED,
            Role::Match => Modifier::REVERSED,
            Role::Error | Role::Warn | Role::Accent | Role::CodeKeyword if plain => Modifier::BOLD,
            Role::Dim | Role::Border | Role::CodeComment if plain => Modifier::DIM,
            Role::Removed if plain => Modifier::CROSSED_OUT,
            // Bright black cannot be read on every dark terminal; dim text can.
            Role::Dim | Role::Border | Role::CodeComment if self.palette == Palette::Terminal => {
                Modifier::DIM
            }
            Role::Text
            | Role::Dim
            | Role::Accent
            | Role::Ok
            | Role::Running
            | Role::Warn
            | Role::Error
            | Role::InlineCode
            | Role::Added
            | Role::Removed
            | Role::Border
            | Role::CodeKeyword
            | Role::CodeString
            | Role::CodeConstant
            | Role::CodeComment
            | Role::CodeType
            | Role::CodeFunction
            | Role::CodeTag
            | Role::CodeAttribute
            | Role::CodePunctuation => Modifier::empty(),
        }
    }
}

/// The nearest of the 256 colours: of the cube, or of the greys.
fn indexed([red, green, blue]: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let off = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
    let nearest = |value: u8| {
        let mut best = 0;
        for (at, step) in (0u8..).zip(STEPS) {
            if off(step, value) < off(STEPS[usize::from(best)], value) {
                best = at;
            }
        }
        best
    };
    let (r, g, b) = (nearest(red), nearest(green), nearest(blue));
    let of_cube = off(STEPS[usize::from(r)], red)
        + off(STEPS[usize::from(g)], green)
        + off(STEPS[usize::from(b)], blue);
    // 24 greys, from 8 in steps of 10.
    let grey = (0u8..24).min_by_key(|at| {
        let level = 8 + at * 10;
        off(level, red) + off(level, green) + off(level, blue)
    });
    match grey {
        Some(at)
            if off(8 + at * 10, red) + off(8 + at * 10, green) + off(8 + at * 10, blue)
                < of_cube =>
        {
            232 + at
        }
        _ => 16 + 36 * r + 6 * g + b,
    }
}

fn terminal(role: Role) -> Option<Color> {
    Some(match role {
        Role::Text | Role::Strong | Role::Emphasis | Role::Dim | Role::Border => return None,
        Role::CodePunctuation | Role::CodeComment => return None,
        Role::Accent | Role::Link | Role::BorderFocus | Role::User => Color::Cyan,
        Role::Heading | Role::CodeFunction => Color::Blue,
        Role::Ok | Role::Added | Role::CodeString => Color::Green,
        Role::Running | Role::Warn | Role::InlineCode | Role::CodeConstant => Color::Yellow,
        Role::Match => Color::Yellow,
        Role::Error | Role::Removed | Role::CodeTag => Color::Red,
        Role::CodeKeyword => Color::Magenta,
        Role::CodeType | Role::CodeAttribute => Color::Cyan,
    })
}

fn dark(role: Role) -> Option<u32> {
    Some(match role {
        Role::Text | Role::Strong | Role::Emphasis => return None,
        Role::Dim => 0x7d_85_96,
        Role::Accent | Role::Link | Role::BorderFocus => 0x6f_b3_ff,
        Role::User => 0xff_b8_6b,
        Role::Heading => 0x9c_c9_ff,
        Role::Ok | Role::Added => 0x6f_cf_8b,
        Role::Running => 0xff_b8_6b,
        Role::Warn | Role::Match => 0xf0_c6_4f,
        Role::Error | Role::Removed => 0xff_7b_72,
        Role::InlineCode => 0xe6_c0_8a,
        Role::Border => 0x3d_44_51,
        Role::CodeKeyword => 0xc7_92_ea,
        Role::CodeString => 0xa5_d6_8a,
        Role::CodeConstant => 0xf7_a8_6e,
        Role::CodeComment => 0x6b_73_85,
        Role::CodeType => 0x7f_db_ca,
        Role::CodeFunction => 0x82_aa_ff,
        Role::CodeTag => 0xf0_71_78,
        Role::CodeAttribute => 0xff_cb_6b,
        Role::CodePunctuation => 0xa6_ac_cd,
    })
}

fn light(role: Role) -> Option<u32> {
    Some(match role {
        Role::Text | Role::Strong | Role::Emphasis => return None,
        Role::Dim => 0x6b_72_80,
        Role::Accent | Role::Link | Role::BorderFocus => 0x1d_5f_c4,
        Role::User => 0xa3_4f_00,
        Role::Heading => 0x12_47_9c,
        Role::Ok | Role::Added => 0x1a_7f_37,
        Role::Running => 0xa3_4f_00,
        Role::Warn | Role::Match => 0x8a_63_00,
        Role::Error | Role::Removed => 0xc2_1f_2e,
        Role::InlineCode => 0x8a_4b_08,
        Role::Border => 0xc3_c9_d3,
        Role::CodeKeyword => 0x7a_3e_9d,
        Role::CodeString => 0x2d_6f_1b,
        Role::CodeConstant => 0xa8_46_00,
        Role::CodeComment => 0x76_7d_8a,
        Role::CodeType => 0x0f_6b_6b,
        Role::CodeFunction => 0x1f_4f_b8,
        Role::CodeTag => 0xb0_2a_37,
        Role::CodeAttribute => 0x8a_63_00,
        Role::CodePunctuation => 0x4b_52_63,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_what_the_environment_promises() {
        let of = |color, term| Depth::of(color, Some(term));
        assert_eq!(of(Some("truecolor"), "xterm"), Depth::True);
        assert_eq!(of(Some("24bit"), "screen-256color"), Depth::True);
        assert_eq!(of(None, "xterm-direct"), Depth::True);
        assert_eq!(of(None, "tmux-256color"), Depth::Indexed);
        assert_eq!(of(Some("yes"), "xterm-16color"), Depth::Sixteen);
        assert_eq!(Depth::of(None, None), Depth::Sixteen);
    }

    #[test]
    fn a_colour_that_is_not_there_becomes_the_nearest() {
        assert_eq!(indexed([0, 0, 0]), 16);
        assert_eq!(indexed([255, 255, 255]), 231);
        assert_eq!(indexed([0x5f, 0x87, 0xff]), 69);
        assert_eq!(indexed([0x1d, 0x21, 0x29]), 235);
        let dark = Theme::new(Palette::Dark, Depth::Indexed);
        assert_eq!(dark.style(Role::Dim).fg, Some(Color::Indexed(102)));
        // Sixteen are the terminal's own.
        let few = Theme::new(Palette::Light, Depth::Sixteen);
        assert_eq!(few, Theme::new(Palette::Terminal, Depth::Sixteen));
    }
}
