//! JSON values that are taken whatever their shape, because what they say is
//! never worth failing for.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A number, or a number in a text; anything else is none. Figures are never
/// worth failing for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

/// Bytes of a text; 1 for a list or object that is not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight(pub(super) usize);

/// The first element of a list.
#[derive(Debug, PartialEq)]
pub(super) struct First<T>(pub(super) Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<First<T>, E> {
                Ok(First(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<T>, A::Error> {
                let first = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_any(FirstVisitor(PhantomData))
    }
}

/// Implements `Deserialize` for a type that takes any JSON value: `$other` takes
/// whether a list or object has elements.
macro_rules! from_any_value {
    ($name:ident, text: $text:expr, number: $number:expr, other: $other:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct AnyVisitor;

                impl<'de> Visitor<'de> for AnyVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("any value")
                    }

                    fn visit_unit<E>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }

                    fn visit_bool<E>(self, _: bool) -> Result<$name, E> {
                        Ok($name::default())
                    }

                    fn visit_str<E>(self, text: &str) -> Result<$name, E> {
                        Ok($text(text))
                    }

                    fn visit_f64<E>(self, number: f64) -> Result<$name, E> {
                        Ok($number(number))
                    }

                    #[expect(clippy::cast_precision_loss, reason = "figures, not ids")]
                    fn visit_i64<E>(self, number: i64) -> Result<$name, E> {
                        Ok($number(number as f64))
                    }

                    #[expect(clippy::cast_precision_loss, reason = "figures, not ids")]
                    fn visit_u64<E>(self, number: u64) -> Result<$name, E> {
                        Ok($number(number as f64))
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        let mut any = false;
                        while seq.next_element::<IgnoredAny>()?.is_some() {
                            any = true;
                        }
                        Ok($other(any))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut any = false;
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                            any = true;
                        }
                        Ok($other(any))
                    }
                }

                deserializer.deserialize_any(AnyVisitor)
            }
        }
    };
}

from_any_value!(
    Number,
    text: |text: &str| Number(text.trim().parse().ok()),
    number: |number: f64| Number(Some(number)),
    other: |_: bool| Number(None)
);
from_any_value!(
    Weight,
    text: |text: &str| Weight(text.len()),
    number: |_: f64| Weight(0),
    other: |any| Weight(usize::from(any))
);

/// The nearest whole number, if it is one that makes sense here.
#[must_use]
pub(super) fn whole(value: f64) -> Option<i64> {
    const MOST: f64 = 1e15;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked and the value rounded"
    )]
    (0.0..=MOST).contains(&value).then(|| value.round() as i64)
}
