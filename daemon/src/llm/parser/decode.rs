//! Bytes to text as the parser wants it: UTF-8 that may be split anywhere, CRLF
//! as LF, and U+FFFD for what is not UTF-8 and for U+0000.

/// Decodes one answer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character, at most three bytes.
    partial: Vec<u8>,
    /// Whether a carriage return waits for what follows it.
    carriage_return: bool,
}

impl Decoder {
    /// The text that the bytes bring to an end.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> String {
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(bytes);
        let mut text = String::with_capacity(input.len());
        let mut rest = input.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        Some(length) => {
                            text.push('\u{FFFD}');
                            rest = &after[length..];
                        }
                        None => {
                            self.partial = after.to_vec();
                            break;
                        }
                    }
                }
            }
        }
        self.fold(text)
    }

    /// What was left at the end of the answer.
    pub(super) fn finish(&mut self) -> String {
        let mut text = String::new();
        if !self.partial.is_empty() {
            self.partial.clear();
            text = self.fold("\u{FFFD}".to_owned());
        }
        if std::mem::take(&mut self.carriage_return) {
            text.push('\r');
        }
        text
    }

    fn fold(&mut self, text: String) -> String {
        if !self.carriage_return && !text.contains(['\r', '\0']) {
            return text;
        }
        let mut folded = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            if std::mem::take(&mut self.carriage_return) && c != '\n' {
                folded.push('\r');
            }
            match c {
                '\r' => self.carriage_return = true,
                '\0' => folded.push('\u{FFFD}'),
                c => folded.push(c),
            }
        }
        folded
    }
}
