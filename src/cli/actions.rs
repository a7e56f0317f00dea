//! `actions`: lists what a step can do, or tells everything about one kind. It needs no plan and no cluster.

use super::arguments::Actions;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::manual::{Page, pages};
use super::print;
use crate::report::table;
use crate::report::wrap::wrap;

/// Tells what a step can do.
///
/// # Errors
/// When there is no such kind.
pub fn actions(context: &Context, arguments: &Actions) -> Result<Exit, CommandFailure> {
    let pages = pages(&context.registry);
    let Some(kind) = &arguments.kind else {
        list(context, &pages);
        return Ok(Exit::Succeeded);
    };
    let Some(page) = pages.iter().find(|page| page.kind == *kind) else {
        let near = pages.iter().map(|page| (strsim::damerau_levenshtein(kind, &page.kind), &page.kind)).min();
        let hint = near
            .filter(|(far, _)| *far <= 2)
            .map_or_else(|| "`bowline actions` lists them".to_owned(), |(_, near)| format!("did you mean `{near}`?"));
        return Err(CommandFailure::usage(format!("there is no action `{kind}`")).hint(hint));
    };
    match context.is_json() {
        true => print::line(&page.to_json().to_string()),
        false => page.to_markdown().lines().for_each(|line| tell(context, line)),
    }
    Ok(Exit::Succeeded)
}

/// What follows an item's mark stays under its text.
fn tell(context: &Context, line: &str) {
    let Some(width) = context.streams.width else { return print::line(line) };
    wrap(line, width).iter().for_each(|line| print::line(line));
}

fn list(context: &Context, pages: &[Page]) {
    if context.is_json() {
        let line = |page: &Page| serde_json::json!({ "kind": page.kind, "about": page.about, "undone": page.undone }).to_string();
        return pages.iter().for_each(|page| print::line(&line(page)));
    }
    let rows: Vec<Vec<String>> = pages.iter().map(|page| vec![page.kind.clone(), page.about.clone()]).collect();
    let table = table::aligned(&rows);
    let widest = table.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    match context.streams.width {
        Some(width) if widest > width => pages.iter().for_each(|page| {
            print::line(&page.kind);
            print::lines(&[format!("  {}", page.about)], Some(width));
        }),
        _ => table.iter().for_each(|line| print::line(line)),
    }
}
