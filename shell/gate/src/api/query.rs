//! What a question may carry, and reading it: everything that is not declared is refused.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::http::HeaderMap;

use crate::limits::{PAGE_DEFAULT, PAGE_MAX, QUERY_BYTES_MAX};
use crate::problem::Problem;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Path,
    Query,
    Header,
}

/// What a parameter may be; goes into the document as a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A whole number, from the least to the largest.
    Number(u64, u64),
    /// Text that fits this pattern.
    Pattern(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A parameter of a route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Where,
    pub(crate) what: What,
    pub(crate) about: &'static str,
}

/// A question whose parameters are all declared, each at most once.
#[derive(Debug, Default)]
pub(crate) struct Question {
    part: String,
    values: BTreeMap<&'static str, String>,
}

impl Question {
    /// Reads the question; what it carries must be declared.
    pub(crate) fn read(
        parameters: &'static [Parameter],
        part: Option<String>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX {
            let message = format!("{} bytes behind the ? are too many", query.len());
            return Err(Problem::bad_query(message, format!("at most {QUERY_BYTES_MAX}")));
        }
        let mut values = BTreeMap::new();
        let known = |place, name: &str| {
            parameters.iter().find(move |known| known.place == place && known.name == name)
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(parameter) = known(Where::Query, name) else {
                return Err(unknown(parameters, name));
            };
            if values.insert(parameter.name, value.to_owned()).is_some() {
                return Err(Problem::bad_query(format!("{name} is given twice"), "give it once"));
            }
        }
        for parameter in parameters.iter().filter(|parameter| parameter.place == Where::Header) {
            if let Some(value) = headers.get(parameter.name).and_then(|value| value.to_str().ok()) {
                values.insert(parameter.name, value.to_owned());
            }
        }
        Ok(Self { part: part.unwrap_or_default(), values })
    }

    /// What stands in the path.
    pub(crate) fn part<T: FromStr>(&self, what: &str) -> Result<T, Problem> {
        self.part.parse().map_err(|_| wrong(&format!("the path's {what}"), &self.part))
    }

    /// A value that may be left out.
    pub(crate) fn value<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| wrong(name, value))
    }

    /// A value that is one of some words.
    pub(crate) fn word<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let word = serde_json::Value::String(value.clone());
        serde_json::from_value(word).map(Some).map_err(|_| wrong(name, value))
    }

    /// How many rows are wanted.
    pub(crate) fn limit(&self, max: usize) -> Result<usize, Problem> {
        let limit = self.value::<usize>("limit")?.unwrap_or(PAGE_DEFAULT.min(max));
        if (1..=max).contains(&limit) {
            Ok(limit)
        } else {
            let message = format!("limit is {limit}");
            Err(Problem::bad_query(message, format!("1 to {max} rows; after= gives the next ones")))
        }
    }

    /// How many rows are wanted, for most lists.
    pub(crate) fn rows(&self) -> Result<usize, Problem> {
        self.limit(PAGE_MAX)
    }
}

fn wrong(name: &str, value: &str) -> Problem {
    let value: String = value.chars().take(80).collect();
    let hint = "GET /api/v1/openapi.json says what each parameter may be";
    Problem::bad_query(format!("{name} cannot be '{value}'"), hint)
}

fn unknown(parameters: &[Parameter], name: &str) -> Problem {
    let name: String = name.chars().take(80).collect();
    let known = parameters.iter().filter(|parameter| parameter.place == Where::Query);
    let known: Vec<_> = known.map(|parameter| parameter.name).collect();
    let hint = match known.as_slice() {
        [] => "this path takes no parameters".to_owned(),
        known => format!("this path takes {}", known.join(", ")),
    };
    Problem::bad_query(format!("there is no parameter '{name}'"), hint)
}

#[cfg(test)]
mod tests {
    use acre_types::{Country, NodeId};
    use proptest::prelude::*;

    use super::*;
    use crate::history::EventId;
    use crate::problem::Code;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(query in "[a-z&=%0-9-]{0,40}|.{0,600}", part in ".{0,100}") {
            for route in super::super::routes() {
                let read =
                    Question::read(route.parameters, Some(part.clone()), Some(&query), &HeaderMap::new());
                match read {
                    Ok(question) => {
                        let _ = question.rows();
                        let _ = question.part::<NodeId>("id");
                        let _ = question.value::<Country>("country");
                        let _ = question.value::<NodeId>("node");
                    }
                    Err(problem) => prop_assert_eq!(problem.error.code, Code::BadQuery),
                }
            }
            if let Ok(id) = part.parse::<EventId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }

    const PARAMETERS: &[Parameter] = &[
        Parameter { name: "limit", place: Where::Query, what: What::Number(1, 200), about: "" },
        Parameter { name: "farm", place: Where::Query, what: What::Number(1, 9), about: "" },
    ];

    fn read(query: &str) -> Result<Question, Problem> {
        Question::read(PARAMETERS, None, Some(query), &HeaderMap::new())
    }

    #[track_caller]
    fn refused(query: &str, message: &str) {
        let read = read(query);
        let refused = read.and_then(|question| {
            question.value::<u32>("farm")?;
            question.rows()
        });
        assert_eq!(refused.unwrap_err().error.message, message, "{query}");
    }

    #[test]
    fn takes_what_is_declared() {
        let question = read("limit=7&farm=3").unwrap();
        assert_eq!(question.rows().unwrap(), 7);
        assert_eq!(question.value::<u32>("farm").unwrap(), Some(3));
        assert_eq!(read("").unwrap().rows().unwrap(), PAGE_DEFAULT);
        assert_eq!(read("limit=200").unwrap().rows().unwrap(), PAGE_MAX);
    }

    #[test]
    fn refuses_everything_else_with_the_reason() {
        refused("limit=0", "limit is 0");
        refused("limit=201", "limit is 201");
        refused("limit=many", "limit cannot be 'many'");
        refused("limit=1&limit=2", "limit is given twice");
        refused("farm=-1", "farm cannot be '-1'");
        refused("farm=%31", "farm cannot be '%31'");
        refused("frm=1", "there is no parameter 'frm'");
        refused(
            &"x".repeat(QUERY_BYTES_MAX),
            &format!("there is no parameter '{}'", "x".repeat(80)),
        );
        refused(&"x".repeat(513), "513 bytes behind the ? are too many");
    }
}
