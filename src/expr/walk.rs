//! Walks a parsed template: finds the names it refers to, and refuses what a plan's template may not hold. It renders nothing.

use super::functions::wrong_number;
use super::helpers::{BLOCKS, INLINE};
use super::near::closest;
use super::place::byte_at;
use super::{Reference, TextError};
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};
use std::ops::Range;

/// The references of a template, in the order of the text.
///
/// # Errors
/// When it calls an unknown helper, or holds a partial or a decorator.
pub(super) fn references(source: &str, template: &Template) -> Result<Vec<Reference>, TextError> {
    let mut walk = Walk { source, found: Vec::new(), contexts: 0, parameters: Vec::new(), from: 0 };
    walk.template(template)?;
    Ok(walk.found)
}

struct Walk<'s> {
    source: &'s str,
    found: Vec<Reference>,
    /// How many blocks around here changed what a plain name means (`each`, `with`).
    contexts: usize,
    parameters: Vec<String>,
    /// Where the element at hand begins.
    from: usize,
}

impl Walk<'_> {
    fn template(&mut self, template: &Template) -> Result<(), TextError> {
        for (index, element) in template.elements.iter().enumerate() {
            if let Some(place) = template.mapping.get(index) {
                self.from = byte_at(self.source, place.0, place.1);
            }
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => self.call(call)?,
                TemplateElement::HelperBlock(block) => self.block(block)?,
                _ => {
                    return Err(
                        self.refused("partials and decorators are not possible in a plan", Some("write the text itself here".to_owned()))
                    );
                }
            }
        }
        Ok(())
    }

    fn refused(&self, message: impl Into<String>, help: Option<String>) -> TextError {
        let end = self.source[self.from..].find("}}").map_or(self.source.len(), |end| self.from + end + 2);
        TextError { message: message.into(), at: self.from..end, help }
    }

    fn call(&mut self, call: &HelperTemplate) -> Result<(), TextError> {
        if call.params.is_empty() && call.hash.is_empty() {
            return self.parameter(&call.name, false);
        }
        let name = call.name.as_name().unwrap_or_default().to_owned();
        self.check_call("helper", &name, call.params.len(), &INLINE)?;
        self.parameters_of(call, matches!(name.as_str(), "default" | "required"))
    }

    /// There is such a helper, and it takes so many values: the engine leaves out what is too much.
    fn check_call(&self, what: &str, name: &str, given: usize, known: &[(&str, &[usize])]) -> Result<(), TextError> {
        let Some((_, takes)) = known.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let meant = closest(name, names.iter().copied());
            let help = meant.map_or_else(|| format!("known {what}s: {}", names.join(", ")), |meant| format!("did you mean `{meant}`?"));
            return Err(self.refused(format!("there is no {what} `{name}`"), Some(help)));
        };
        match takes.is_empty() || takes.contains(&given) {
            true => Ok(()),
            false => {
                let opens = if what == "block" { "{{#" } else { "{{ " };
                let like = format!("write it as in `{opens}{name}{} }}}}`", " VALUE".repeat(takes[0]));
                Err(self.refused(format!("`{name}` {}", wrong_number(takes, given)), Some(like)))
            }
        }
    }

    fn parameters_of(&mut self, call: &HelperTemplate, first_is_optional: bool) -> Result<(), TextError> {
        for (index, parameter) in call.params.iter().enumerate() {
            self.parameter(parameter, first_is_optional && index == 0)?;
        }
        call.hash.values().try_for_each(|parameter| self.parameter(parameter, false))
    }

    fn parameter(&mut self, parameter: &Parameter, optional: bool) -> Result<(), TextError> {
        match parameter {
            Parameter::Path(path) => {
                self.path(path, parameter.as_name().unwrap_or_default(), optional);
                Ok(())
            }
            Parameter::Name(name) => {
                if let Ok(path) = Path::parse(name) {
                    self.path(&path, name, optional);
                }
                Ok(())
            }
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(call) => self.call(call),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn block(&mut self, block: &HelperTemplate) -> Result<(), TextError> {
        let name = block.name.as_name().unwrap_or_default().to_owned();
        self.check_call("block", &name, block.params.len(), &BLOCKS)?;
        self.parameters_of(block, matches!(name.as_str(), "if" | "unless"))?;
        let enters = matches!(name.as_str(), "each" | "with");
        let named = self.parameters.len();
        match &block.block_param {
            Some(handlebars::template::BlockParam::Single(one)) => self.parameters.extend(one.as_name().map(str::to_owned)),
            Some(handlebars::template::BlockParam::Pair((one, two))) => {
                self.parameters.extend([one, two].into_iter().filter_map(|p| p.as_name().map(str::to_owned)));
            }
            _ => {}
        }
        self.contexts += usize::from(enters);
        block.template.as_ref().map_or(Ok(()), |inner| self.template(inner))?;
        self.contexts -= usize::from(enters);
        self.parameters.truncate(named);
        block.inverse.as_ref().map_or(Ok(()), |inner| self.template(inner))
    }

    fn path(&mut self, path: &Path, raw: &str, optional: bool) {
        let Path::Relative((segments, _)) = path else { return };
        let ups = segments.iter().take_while(|segment| matches!(segment, PathSeg::Ruled(_))).count();
        let names: Vec<String> = segments
            .iter()
            .filter_map(|segment| match segment {
                PathSeg::Named(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let from_root = raw.starts_with("@root") || ups >= self.contexts;
        let is_parameter = ups == 0 && names.first().is_some_and(|name| self.parameters.contains(name));
        if from_root && !is_parameter && !names.is_empty() {
            self.found.push(Reference { path: names, optional, at: self.find(raw) });
        }
    }

    fn find(&self, raw: &str) -> Range<usize> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '$' | '/');
        let rest = &self.source[self.from..];
        let hit = rest.match_indices(raw).find(|(at, _)| {
            let before = rest[..*at].chars().next_back();
            let after = rest[at + raw.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        });
        hit.map_or(self.from..self.from, |(at, _)| self.from + at..self.from + at + raw.len())
    }
}
