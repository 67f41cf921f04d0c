//! One event of the stream, decoded: what OpenAI and OpenRouter send, and what
//! servers compatible with them make of it.
//!
//! Text is borrowed where it holds no escapes, no tree is built, unknown fields
//! pass. Text that a provider writes about an error is not even kept: only its
//! code is, when it looks like one.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::lenient::{First, Number, Weight, whole};
use crate::domain::generation::{FinishReason, Usage};

/// The data of one event.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every frame is a chunk, which is not worth a heap allocation"
)]
pub enum Frame<'a> {
    /// `[DONE]`: nothing comes after it.
    Done,
    /// Anything else.
    Chunk(StreamChunk<'a>),
}

/// The data of an event is not JSON, or not of the expected shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the stream is not the expected json")]
pub struct BadChunk;

/// Decodes the data of one event.
///
/// # Errors
///
/// [`BadChunk`].
pub fn decode(data: &str) -> Result<Frame<'_>, BadChunk> {
    let data = data.trim_ascii();
    if data == "[DONE]" {
        return Ok(Frame::Done);
    }
    // An array would pass for an object whose fields are all missing.
    if !data.starts_with('{') {
        return Err(BadChunk);
    }
    serde_json::from_str(data)
        .map(Frame::Chunk)
        .map_err(|_| BadChunk)
}

/// A chunk of the stream.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct StreamChunk<'a> {
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    choices: First<Choice<'a>>,
    usage: Option<UsageReport>,
    error: Option<ErrorReport>,
}

impl StreamChunk<'_> {
    /// The model that answers.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        non_empty(self.model.as_ref())
    }

    /// The next piece of the answer.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        non_empty(self.delta()?.content.as_ref())
    }

    /// Bytes of what the model thinks aloud, roughly. It is not part of the
    /// answer, but it is paid for.
    #[must_use]
    pub fn thought_bytes(&self) -> usize {
        self.delta().map_or(0, |delta| {
            // Providers say the same under several names.
            let texts = delta.reasoning.0.max(delta.reasoning_content.0);
            texts.max(delta.reasoning_details.0)
        })
    }

    /// Why the model stopped.
    #[must_use]
    pub fn finish(&self) -> Option<FinishReason> {
        let reason = non_empty(self.choices.0.as_ref()?.finish_reason.as_ref())?;
        Some(match reason {
            "stop" | "eos" | "end_turn" => FinishReason::Stop,
            "length" | "max_tokens" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "error" => FinishReason::Error,
            _ => FinishReason::Unknown,
        })
    }

    /// What the call used, as far as the provider says it.
    #[must_use]
    pub fn usage(&self) -> Option<&UsageReport> {
        self.usage.as_ref()
    }

    /// What the provider says went wrong.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorReport> {
        let in_choice = || self.choices.0.as_ref().and_then(|c| c.error.as_ref());
        self.error.as_ref().or_else(in_choice)
    }

    fn delta(&self) -> Option<&Delta<'_>> {
        self.choices.0.as_ref()?.delta.as_ref()
    }
}

fn non_empty<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|text| text.0.as_ref())
        .filter(|text| !text.is_empty())
}

/// `Cow` on its own would never borrow inside an `Option`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    error: Option<ErrorReport>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    reasoning: Weight,
    reasoning_content: Weight,
    reasoning_details: Weight,
}

/// What a call used, as the provider reports it.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct UsageReport {
    prompt_tokens: Number,
    completion_tokens: Number,
    cost: Number,
}

impl UsageReport {
    /// The figures; `None` if there are no counts of tokens among them.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let (Some(prompt), Some(completion)) = (self.prompt_tokens.0, self.completion_tokens.0)
        else {
            return None;
        };
        Some(Usage {
            prompt_tokens: whole(prompt)?,
            completion_tokens: whole(completion)?,
            cost_micro_usd: self.cost.0.and_then(|usd| whole(usd * 1e6)),
            estimated: false,
        })
    }
}

/// What a provider says went wrong: its code only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorReport {
    /// An HTTP status given as code.
    pub status: Option<u16>,
    /// A code in words.
    pub word: Option<String>,
}

impl ErrorReport {
    fn set_number(&mut self, number: u64) {
        if let Ok(status) = u16::try_from(number)
            && (100..600).contains(&status)
        {
            self.status = Some(status);
        }
    }

    /// Takes a code in words if it cannot be anything else: a provider that
    /// echoes a key or a sentence as its code must not have it shown.
    fn set_text(&mut self, text: &str) {
        if let Ok(number) = text.parse() {
            self.set_number(number);
        } else if (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        {
            self.word = Some(text.to_owned());
        }
    }
}

/// For people: the code, or that there was none.
impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, &self.word) {
            (Some(status), _) => write!(f, "code {status}"),
            (None, Some(word)) => write!(f, "code {word}"),
            (None, None) => f.write_str("no code"),
        }
    }
}

impl<'de> Deserialize<'de> for ErrorReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ErrorVisitor;

        impl<'de> Visitor<'de> for ErrorVisitor {
            type Value = ErrorReport;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error")
            }

            fn visit_str<E>(self, text: &str) -> Result<ErrorReport, E> {
                let mut report = ErrorReport::default();
                report.set_text(text);
                Ok(report)
            }

            fn visit_bool<E>(self, _: bool) -> Result<ErrorReport, E> {
                Ok(ErrorReport::default())
            }

            fn visit_u64<E>(self, number: u64) -> Result<ErrorReport, E> {
                let mut report = ErrorReport::default();
                report.set_number(number);
                Ok(report)
            }

            fn visit_i64<E>(self, _: i64) -> Result<ErrorReport, E> {
                Ok(ErrorReport::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<ErrorReport, E> {
                Ok(ErrorReport::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ErrorReport, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ErrorReport::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorReport, A::Error> {
                let mut report = ErrorReport::default();
                let mut kind = ErrorReport::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match key.0.as_ref() {
                        "code" => report = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        "type" => kind = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let empty = report == ErrorReport::default();
                Ok(if empty { kind } else { report })
            }
        }

        deserializer.deserialize_any(ErrorVisitor)
    }
}

/// The body of an answer that is JSON instead of a stream: only an error is
/// expected in it.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ErrorReport,
}
