//! What an asker gets instead of an answer: why, and what to do.

use acre_chain::ClientError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Why there is no answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// What went wrong.
    pub(crate) error: ProblemPart,
}

/// What went wrong and what to do about it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProblemDetail")]
pub(crate) struct ProblemPart {
    /// For programs; stable.
    pub(crate) code: Code,
    /// For people.
    pub(crate) message: String,
    /// What to do.
    #[serde(rename = "try")]
    pub(crate) hint: String,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ProblemCode")]
pub(crate) enum Code {
    /// The question is wrong.
    BadQuery,
    /// There is no such thing.
    NotFound,
    /// Only reading is possible here.
    ReadOnly,
    /// The address in the request is not served here.
    UnknownHost,
    /// Too much is going on.
    Busy,
    /// Validators do not answer, or not with what can be proven.
    LedgerUnavailable,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { error: ProblemPart { code, message: message.into(), hint: hint.into() } }
    }

    pub(crate) fn bad_query(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::BadQuery, message, hint)
    }

    pub(crate) fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message, hint)
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(Code::Busy, message, "ask again in some seconds")
    }

    const fn status(&self) -> StatusCode {
        match self.error.code {
            Code::BadQuery => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            Code::UnknownHost => StatusCode::FORBIDDEN,
            Code::Busy | Code::LedgerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        let hint = "ask again; /api/v1/grid says how old the gateway's own copy is";
        Self::new(Code::LedgerUnavailable, message, hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(self)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
