//! The document against the table of routes, and against the rules of OpenAPI 3.1.

use std::collections::BTreeSet;

use serde_json::Value;

use super::query::Where;
use super::{Media, document, routes};

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let told: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let routes = routes();
    let answered: BTreeSet<&str> = routes.iter().map(|route| route.path).collect();
    assert_eq!(told, answered);
    assert_eq!(answered.len(), routes.len(), "a path stands twice");
    for route in &routes {
        let operation = &paths[route.path]["get"];
        assert_eq!(paths[route.path].as_object().unwrap().len(), 1, "{}: GET only", route.path);
        assert_eq!(operation["operationId"], route.id);
        let told: BTreeSet<_> = (operation["parameters"].as_array().unwrap().iter())
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let taken: BTreeSet<_> = route.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(told, taken, "{}", route.path);
        assert_eq!(taken.len(), route.parameters.len(), "{}", route.path);
    }
}

#[test]
fn document_keeps_to_the_rules_of_openapi() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    for field in ["title", "version"] {
        assert!(document["info"][field].is_string(), "{field}");
    }
    let mut ids = BTreeSet::new();
    for route in routes() {
        let operation = &document["paths"][route.path]["get"];
        assert!(ids.insert(route.id), "{} stands twice", route.id);
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()));
        let in_path: Vec<_> = (route.path.split('/'))
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let declared: Vec<_> = (route.parameters.iter())
            .filter(|parameter| parameter.place == Where::Path)
            .map(|parameter| parameter.name)
            .collect();
        assert_eq!(in_path, declared, "{}", route.path);
        for parameter in operation["parameters"].as_array().unwrap() {
            assert_eq!(parameter["required"], parameter["in"] == "path", "{parameter}");
            assert!(parameter["schema"]["type"].is_string(), "{parameter}");
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()));
        }
        let media =
            if route.media == Media::Json { "application/json" } else { "text/event-stream" };
        let good = &operation["responses"]["200"];
        assert!(
            good["description"].is_string() && good["content"][media]["schema"].is_object()
                || route.id == "openapi"
        );
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(status.len() == 3 && status.bytes().all(|digit| digit.is_ascii_digit()));
            assert!(response["$ref"].is_string() || response["description"].is_string());
        }
    }
    let mut references = BTreeSet::new();
    walk(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("references stay in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        let is_plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        assert!(is_plain, "{name} is no name of a component");
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference) || name == "Gap", "{name} is never used");
        assert!(schema["description"].is_string(), "{name} is not described");
    }
}

fn walk(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.insert(reference.clone());
            }
            fields.values().for_each(|field| walk(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, references)),
        _ => {}
    }
}
