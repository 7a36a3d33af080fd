//! The OpenAPI 3.1 document, made from the table of routes and the types that are answered.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{Media, Parameter, Route, What, Where, routes};
use crate::dto::Gap;
use crate::problem::Problem;

/// The document. Made once.
pub(crate) fn document() -> Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| assemble(&routes())).clone()
}

fn assemble(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = reference::<Problem>(&mut generator);
    // Named by the description of the events only.
    reference::<Gap>(&mut generator);
    let paths: Map<String, Value> = (routes.iter())
        .map(|route| (route.path.to_owned(), json!({ "get": operation(route, &mut generator) })))
        .collect();
    let answer = |description: &str| {
        json!({
            "description": description,
            "content": { "application/json": { "schema": problem } },
        })
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Acre explorer",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "What a grid's ledger says, checked by this gateway with proofs. Read \
                only. Whoever does not trust the gateway reads the ledger with the acre command, \
                which checks the proofs itself.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "bad_query": answer("The question is wrong; the answer says how."),
                "not_found": answer("There is no such thing."),
                "unavailable": answer("Too much is going on, or validators do not answer."),
            },
        },
    })
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let media = match route.media {
        Media::Json => "application/json",
        Media::Events => "text/event-stream",
    };
    let schema = (route.schema)(generator).to_value();
    json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": route.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": {
            "200": { "description": route.summary, "content": { media: { "schema": schema } } },
            "400": { "$ref": "#/components/responses/bad_query" },
            "404": { "$ref": "#/components/responses/not_found" },
            "503": { "$ref": "#/components/responses/unavailable" },
        },
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let (place, is_required) = match parameter.place {
        Where::Path => ("path", true),
        Where::Query => ("query", false),
        Where::Header => ("header", false),
    };
    let schema = match parameter.what {
        What::Number(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        What::Number(least, largest) => {
            json!({ "type": "integer", "minimum": least, "maximum": largest })
        }
        What::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        What::OneOf(words) => json!({ "type": "string", "enum": words }),
    };
    json!({
        "name": parameter.name, "in": place, "required": is_required,
        "description": parameter.about, "schema": schema,
    })
}
