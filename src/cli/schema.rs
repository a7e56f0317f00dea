//! `schema`: prints the JSON Schemas that are published in `schemas/`, made by this program's own types.

use super::arguments::{Schema, SchemaOf};
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::print;
use crate::action::Registry;
use crate::record::Record;
use crate::report::json;
use serde_json::Value;

/// Prints a schema.
///
/// # Errors
/// Never.
pub fn schema(context: &Context, arguments: &Schema) -> Result<Exit, CommandFailure> {
    print::line(&text(&of(arguments.of, &context.registry)));
    Ok(Exit::Succeeded)
}

/// One of the schemas.
pub(super) fn of(what: SchemaOf, registry: &Registry) -> Value {
    match what {
        SchemaOf::Plan => crate::plan::schema(registry),
        SchemaOf::Record => schemars::schema_for!(Record).to_value(),
        SchemaOf::Event => json::schema().to_value(),
    }
}

/// A schema as it is published, but for the end of its last line.
pub(super) fn text(schema: &Value) -> String {
    // Its keys are texts, so it always has a text.
    serde_json::to_string_pretty(schema).unwrap_or_default()
}
