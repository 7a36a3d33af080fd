//! The explorer's API: a table of routes from which both the router and the document are made, so
//! that neither can say what the other does not.

mod answers;
mod farming;
mod openapi;
mod query;
mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::explorer::Explorer;
use crate::problem::{Code, Problem};

pub(crate) use openapi::document;
pub(crate) use query::{Parameter, Question, What, Where};
pub(crate) use table::routes;

type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;
type Answer = Box<dyn Fn(Arc<Explorer>, Question) -> Answering + Send + Sync>;

/// What a route answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Events,
}

/// One route. All are `GET`.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    /// Name for programs; unique.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) media: Media,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    answer: Answer,
}

impl Route {
    /// A route that answers with what the function gives, as JSON.
    pub(crate) fn json<T, F>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        parameters: &'static [Parameter],
        answer: impl Fn(Arc<Explorer>, Question) -> F + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + JsonSchema,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let answer = move |explorer, question| -> Answering {
            let answering = answer(explorer, question);
            Box::pin(async move { Ok(axum::Json(answering.await?).into_response()) })
        };
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        let (media, answer) = (Media::Json, Box::new(answer));
        Self { path, id, summary, parameters, media, schema, answer }
    }

    /// A route that answers with a stream of events, whose data are of this type.
    pub(crate) fn events<T: JsonSchema>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        parameters: &'static [Parameter],
        answer: fn(&Arc<Explorer>, &Question) -> Result<Response, Problem>,
    ) -> Self {
        let answer = move |explorer: Arc<Explorer>, question: Question| -> Answering {
            Box::pin(async move { answer(&explorer, &question) })
        };
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        let (media, answer) = (Media::Events, Box::new(answer));
        Self { path, id, summary, parameters, media, schema, answer }
    }
}

/// A router of all routes of the table, and of nothing else below `/api/v1/`.
pub(crate) fn router(explorer: &Arc<Explorer>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let path = route.path;
        let route = Arc::new(route);
        let answer = move |State(explorer): State<Arc<Explorer>>,
                           parts: Option<Path<String>>,
                           RawQuery(query): RawQuery,
                           headers: HeaderMap| {
            let route = Arc::clone(&route);
            let part = parts.map(|Path(part)| part);
            async move { answer(&route, explorer, part, query, &headers).await }
        };
        router = router.route(path, get(answer));
    }
    router
        .method_not_allowed_fallback(|| async {
            let message = "the explorer only reads";
            Problem::new(Code::ReadOnly, message, "use GET; transactions go by the acre command")
                .into_response()
        })
        .with_state(Arc::clone(explorer))
}

/// What is said for a path that no route has.
pub(crate) fn no_route(path: &str) -> Problem {
    Problem::not_found(format!("there is no {path}"), "GET /api/v1/openapi.json lists all paths")
}

async fn answer(
    route: &Route,
    explorer: Arc<Explorer>,
    part: Option<String>,
    query: Option<String>,
    headers: &HeaderMap,
) -> Response {
    let began = Instant::now();
    let question = Question::read(route.parameters, part, query.as_deref(), headers);
    let answered = match question {
        Ok(question) => (route.answer)(Arc::clone(&explorer), question).await,
        Err(problem) => Err(problem),
    };
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    let metrics = &explorer.metrics;
    match response.status() {
        status if status.is_success() => metrics.good.up(),
        StatusCode::SERVICE_UNAVAILABLE => metrics.failed.up(),
        _ => metrics.refused.up(),
    }
    metrics.times.record(began.elapsed());
    response
}
