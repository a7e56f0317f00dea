//! Taking a restore back: the old database gets its name again, unless that would lose what somebody wrote.

use super::work::{Standing, Work, not_swapped};
use super::{Restore, RestoreParams, RestoreUndo, Swap};
use crate::action::{ActionError, Begun, ReadCx};
use crate::actions::backup::take_back_artefact;
use crate::actions::postgres::Write;
use crate::archive::Archive;
use crate::record::{Mark, MarkKind};

/// Writes that are told one by one.
const TOLD: usize = 5;

/// What became of one part, and what to say of it.
type Outcome = (MarkKind, Vec<String>);

impl Restore {
    pub(super) async fn take_back(&self, cx: &ReadCx, params: &RestoreParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let mut marks = Vec::new();
        // What was intended last goes first: the restored database has its own name again before it is dropped.
        for effect in effects.into_iter().rev() {
            let (kind, notes) = match &effect.undo {
                RestoreUndo::Before { folder, name } => {
                    let (kind, note) = take_back_artefact(&Archive::new(self.files.clone(), folder), name).await?;
                    (kind, note.into_iter().collect())
                }
                RestoreUndo::Scratch { .. } if effect.known.is_not_done() => (MarkKind::Nothing, Vec::new()),
                RestoreUndo::Scratch { database, .. } => {
                    let server = self.work(cx, params).await?.server;
                    let there = server.has_database(database).await?;
                    server.drop_database(database).await?;
                    (if there { MarkKind::Restored } else { MarkKind::Nothing }, Vec::new())
                }
                RestoreUndo::Swap(swap) => self.work(cx, params).await?.swap_back(swap, params.accept_data_loss).await?,
            };
            marks.push(Mark { key: effect.key, kind, notes });
        }
        marks.reverse();
        Ok(marks)
    }
}

impl Work {
    async fn swap_back(&self, swap: &Swap, accept_data_loss: bool) -> Result<Outcome, ActionError> {
        let database = &self.server.database;
        let standing = self.standing_of(swap).await?;
        match standing {
            Standing::Before => {}
            Standing::Other => {
                let note = format!("{database} is a database by now that this run has neither restored nor found: it stays");
                return Ok((MarkKind::Kept, vec![note]));
            }
            Standing::Swapped => {
                let writes = self.server.writes(database, &swap.ready).await?;
                if !writes.is_empty() && !accept_data_loss {
                    return Ok(refused(database, swap, &writes));
                }
                if !self.server.has_database(&swap.aside).await? {
                    return Ok((MarkKind::Residue, vec![gone(database, swap)]));
                }
                self.change(&swap.scratch, &swap.aside, swap, Standing::Before).await?;
            }
        }
        // A swap that was broken off may have left people outside.
        self.server.let_in(database).await?;
        let mut lost = Vec::new();
        if self.server.has_database(&swap.scratch).await? {
            self.server.let_in(&swap.scratch).await?;
            lost = self.server.writes(&swap.scratch, &swap.ready).await?;
        }
        // Somebody was quicker than the change of names: nobody can reach the restored database now, so this look is the last word.
        if !lost.is_empty() && !accept_data_loss {
            self.change(&swap.aside, &swap.scratch, swap, Standing::Swapped).await?;
            return Ok(refused(database, swap, &lost));
        }
        let note = (!lost.is_empty())
            .then(|| format!("what was written to {database} after it was restored is lost, as the plan accepts: {}", told(&lost)));
        let kind = if standing == Standing::Swapped { MarkKind::Restored } else { MarkKind::Nothing };
        Ok((kind, note.into_iter().collect()))
    }

    /// Changes the names, and looks whether they are.
    async fn change(&self, aside: &str, next: &str, swap: &Swap, wanted: Standing) -> Result<(), ActionError> {
        let said = self.server.swap(&swap.aside, aside, next).await?;
        match self.standing_of(swap).await? == wanted {
            true => Ok(()),
            false => Err(not_swapped(&self.server.database, &said)),
        }
    }
}

fn refused(database: &str, swap: &Swap, writes: &[Write]) -> Outcome {
    let notes = vec![
        format!("{database} was written to after it was restored, and going back would lose that: {}", told(writes)),
        format!(
            "{database} stays as it is; what it was before is the database {} on the same server, and the backup {}",
            swap.aside, swap.before_backup
        ),
        "a step with `accept-data-loss: true` goes back all the same".to_owned(),
    ];
    (MarkKind::Residue, notes)
}

fn gone(database: &str, swap: &Swap) -> String {
    format!(
        "what {database} was before, the database {}, is gone: the backup {} holds it as it was when the restore began",
        swap.aside, swap.before_backup
    )
}

fn told(writes: &[Write]) -> String {
    let mut told: Vec<String> = writes.iter().take(TOLD).map(ToString::to_string).collect();
    told.extend((writes.len() > TOLD).then(|| format!("and {} more", writes.len() - TOLD)));
    told.join(", ")
}
