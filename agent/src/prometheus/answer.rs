//! The JSON that Prometheus' HTTP API answers to an instant query. It knows nothing of its meaning.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};

/// One element of an instant vector; a scalar is one without labels.
#[derive(Debug, Deserialize)]
pub(super) struct Sample<M> {
    /// Its labels, as far as they matter.
    pub(super) metric: M,
    value: (f64, Number),
}

impl<M> Sample<M> {
    /// When the query was evaluated, by Prometheus' clock: not when it was measured.
    pub(super) fn evaluated_s(&self) -> f64 {
        self.value.0
    }

    pub(super) fn value(&self) -> f64 {
        self.value.1.0
    }
}

/// An answer that is a success.
#[derive(Debug)]
pub(super) struct Read<M> {
    pub(super) samples: Vec<Sample<M>>,
    /// The first reason why something may be missing in it.
    pub(super) warning: Option<String>,
}

/// A number in quotation marks, as JSON has no infinity.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        struct Quoted;
        impl Visitor<'_> for Quoted {
            type Value = Number;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number in quotation marks")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                let number = text.parse().map(Number);
                number.map_err(|_| E::custom(format!("{text:?} is no number")))
            }
        }
        from.deserialize_str(Quoted)
    }
}

#[derive(Deserialize)]
struct Whole<D> {
    data: D,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data<M> {
    Vector(Vec<Sample<M>>),
    Scalar((f64, Number)),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

/// Reads an answer with a status of 2xx.
pub(super) fn read<'a, M>(body: &'a [u8]) -> Result<Read<M>, String>
where
    M: Deserialize<'a> + Default,
{
    let whole: Whole<Data<M>> =
        serde_json::from_slice(body).map_err(|error| format!("its answer: {error}"))?;
    let samples = match whole.data {
        Data::Vector(samples) => samples,
        Data::Scalar(value) => vec![Sample {
            metric: M::default(),
            value,
        }],
        Data::Matrix(_) | Data::String(_) => {
            return Err("the query gives a range or a text; write one that gives numbers".into());
        }
    };
    Ok(Read {
        samples,
        warning: whole.warnings.into_iter().next(),
    })
}

/// What an error says: in Prometheus' JSON, or as text.
pub(super) fn message(body: &[u8], most: usize) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.error,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    // One line of a log, whatever somebody else sends.
    let printable = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    printable.take(most).collect()
}
