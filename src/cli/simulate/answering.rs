//! Answers for people, as the scenario says: nobody is there who could be asked. It shows everything to the display that it is given, and to
//! who notices that nothing happens any more.

use super::{Stage, Standstill};
use crate::engine::Control;
use crate::event::{Event, Reporter};
use crate::record::What;
use crate::scenario::Approval;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// A reporter that answers what is asked.
pub struct Answering {
    inner: Arc<dyn Reporter>,
    controls: UnboundedSender<Control>,
    answers: BTreeMap<crate::ids::StepId, Approval>,
    standstill: Arc<Standstill>,
}

impl Answering {
    /// Answers as the scenario says.
    pub(in crate::cli) fn new(inner: Arc<dyn Reporter>, controls: UnboundedSender<Control>, stage: &Stage) -> Self {
        Self { inner, controls, answers: stage.scenario.approvals.clone(), standstill: Arc::clone(&stage.standstill) }
    }
}

impl Reporter for Answering {
    fn event(&self, event: &Event) {
        self.standstill.hear(event);
        self.inner.event(event);
        let Event::Recorded(record) = event else { return };
        if let What::ApprovalAsked { step, .. } = &record.what {
            let answer = self.answers.get(step);
            let comment = answer.is_none().then(|| format!("not modelled: nobody answers {step}; add it to `simulate.approvals`"));
            let approved = answer == Some(&Approval::Approved);
            // The engine has stopped listening only when it is about to end.
            let _ending = self.controls.send(Control::Answer { step: step.clone(), approved, by: "the simulation".to_owned(), comment });
        }
    }
}
