//! The names that a CEL expression refers to. It evaluates nothing.

use super::{ConditionError, Reference, Wanted, functions};
use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, SourceInfo, operators};
use std::ops::Range;

/// What an expression names.
#[derive(Debug)]
pub(super) struct Names {
    /// Its references, in the order in which they were met.
    pub(super) references: Vec<Reference>,
    /// The paths that it asks for with `has`.
    pub(super) tested: Vec<Vec<String>>,
    /// Its calls of what is no function, or does not take what it is given.
    pub(super) slips: Vec<ConditionError>,
    /// Its comparisons of a name with a literal.
    pub(super) comparisons: Vec<Comparison>,
}

/// A name beside a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Where the name stands, in bytes of the condition.
    pub at: Range<usize>,
    /// The type of the literal.
    pub with: Wanted,
    /// It is asked which of the two is greater: values of different types have no answer then. Else they are merely never equal.
    pub is_ordering: bool,
}

/// What an expression names.
pub(super) fn names(expression: &IdedExpr, places: &SourceInfo) -> Names {
    let mut walk = Walk { places, bound: Vec::new(), found: Vec::new(), faults: Vec::new(), comparisons: Vec::new() };
    walk.visit(expression);
    // What a macro stands for is in the tree more than once.
    walk.faults.sort_by_key(|fault| fault.at.start);
    walk.faults.dedup();
    let tested: Vec<Vec<String>> = walk.found.iter().filter(|found| found.optional).map(|found| found.path.clone()).collect();
    for reference in &mut walk.found {
        // `has(steps.a.b) && steps.a.c`: who asked for a part of the output knows that there may be none.
        reference.optional |= tested.iter().any(|tested| tested.iter().zip(&reference.path).take(2).all(|(a, b)| a == b));
    }
    Names { references: walk.found, tested, slips: walk.faults, comparisons: walk.comparisons }
}

struct Walk<'s> {
    places: &'s SourceInfo,
    bound: Vec<String>,
    found: Vec<Reference>,
    /// The calls that cannot be.
    faults: Vec<ConditionError>,
    comparisons: Vec<Comparison>,
}

struct Chain {
    path: Vec<String>,
    root: u64,
    tested: bool,
}

impl Walk<'_> {
    fn visit(&mut self, expression: &IdedExpr) {
        if let Some(chain) = chain(expression) {
            if !self.bound.contains(&chain.path[0]) && !chain.path[0].starts_with('@') {
                let at = self.at(&chain);
                self.found.push(Reference { path: chain.path, optional: chain.tested, at });
            }
            return;
        }
        match &expression.expr {
            Expr::Call(call) => {
                self.faults.extend(functions::fault(call, expression.id, self.places));
                if let [one, other] = call.args.as_slice() {
                    self.compare(&call.func_name, one, other);
                    self.compare(&call.func_name, other, one);
                }
                let target = call.target.iter().map(AsRef::as_ref).filter(|_| !functions::is_qualified(call));
                target.chain(&call.args).for_each(|part| self.visit(part));
            }
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|part| self.visit(part)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(built) => built.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(loops) => {
                self.visit(&loops.iter_range);
                let before = self.bound.len();
                self.bound.extend([loops.iter_var.clone(), loops.accu_var.clone()]);
                self.bound.extend(loops.iter_var2.clone());
                [&loops.accu_init, &loops.loop_cond, &loops.loop_step, &loops.result].into_iter().for_each(|part| self.visit(part));
                self.bound.truncate(before);
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
        }
    }

    fn compare(&mut self, operator: &str, named: &IdedExpr, literal: &IdedExpr) {
        let is_ordering = [operators::GREATER, operators::GREATER_EQUALS, operators::LESS, operators::LESS_EQUALS].contains(&operator);
        if !is_ordering && ![operators::EQUALS, operators::NOT_EQUALS].contains(&operator) {
            return;
        }
        let with = match &literal.expr {
            Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => Wanted::Number,
            Expr::Literal(LiteralValue::String(_)) => Wanted::Text,
            Expr::Literal(LiteralValue::Boolean(_)) => Wanted::Boolean,
            _ => return,
        };
        if let Some(chain) = chain(named).filter(|chain| !self.bound.contains(&chain.path[0])) {
            self.comparisons.push(Comparison { at: self.at(&chain), with, is_ordering });
        }
    }

    fn entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => [&entry.key, &entry.value].into_iter().for_each(|part| self.visit(part)),
        }
    }

    fn at(&self, chain: &Chain) -> Range<usize> {
        let text = &self.places.source;
        let start = self.places.offset_for(chain.root).map_or(0, |(start, _)| start as usize);
        let start = text.char_indices().nth(start).map_or(0, |(byte, _)| byte);
        let dotted = chain.path.join(".");
        let length = if text[start..].starts_with(&dotted) { dotted.len() } else { chain.path[0].len() };
        start..(start + length).min(text.len())
    }
}

/// A name with its parts: `steps.build.image`, `steps["my-step"].image`.
fn chain(expression: &IdedExpr) -> Option<Chain> {
    match &expression.expr {
        Expr::Ident(name) => Some(Chain { path: vec![name.clone()], root: expression.id, tested: false }),
        Expr::Select(select) => {
            let mut chain = chain(&select.operand)?;
            chain.path.push(select.field.clone());
            chain.tested |= select.test;
            Some(chain)
        }
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. }] => {
                let mut chain = chain(operand)?;
                chain.path.push(key.inner().to_owned());
                Some(chain)
            }
            _ => None,
        },
        _ => None,
    }
}
