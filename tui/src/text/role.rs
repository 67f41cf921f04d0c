//! What a piece of text means. Colours are given to meanings in one place,
//! `view::theme`; nothing else names a colour.

/// What a piece of text means to its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Text,
    /// What may be overlooked: hints, units, times.
    Dim,
    /// What stands out without being good or bad: titles, names, keys.
    Accent,
    /// Emphasis within ordinary text.
    Strong,
    /// Emphasis of the weaker kind.
    Emphasis,
    /// Where something leads to.
    Link,
    /// It went well.
    Ok,
    /// It goes on.
    Running,
    /// It wants attention.
    Warn,
    /// It went wrong.
    Error,
    /// What the user wrote.
    User,
    /// A heading.
    Heading,
    /// Code within a sentence.
    InlineCode,
    /// A line that was added.
    Added,
    /// A line that was taken away.
    Removed,
    /// What a search found.
    Match,
    /// A frame.
    Border,
    /// The frame of what has the keys.
    BorderFocus,
    /// Code: a word of the language.
    CodeKeyword,
    /// Code: text in quotes.
    CodeString,
    /// Code: a number, or another constant.
    CodeConstant,
    /// Code: a remark.
    CodeComment,
    /// Code: the name of a type.
    CodeType,
    /// Code: the name of a function.
    CodeFunction,
    /// Code: a tag of a markup language.
    CodeTag,
    /// Code: an attribute, a property, a key.
    CodeAttribute,
    /// Code: punctuation.
    CodePunctuation,
}
