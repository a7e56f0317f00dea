//! Doing it: find the Job of this run or make it, tell what it prints, wait until it has ended.

use super::manifest::{Planned, is_ours, read};
use super::printed::{Printed, last_bytes};
use super::{Job, JobIntended, JobMade, JobOutput, JobParams};
use crate::action::{Action, ActionError, Cx, EffectError, Known, Progress, key};
use crate::actions::kubernetes::{Place, effect_failed, failed, target};
use crate::cluster::health::Pin;
use crate::cluster::health::wait::{Patience, Subject, Unhealthy, WaitError, wait_healthy_by};
use crate::cluster::logs::{Hear, Heard, container, follow};
use crate::cluster::request::by_labels;
use crate::cluster::{Address, Class, Kind, Manner, Object};
use crate::record::Settled;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most Jobs of one step of one run.
const MOST: usize = 50;
/// Lines of the output that are read, and bytes of them that are kept.
const LINES: u32 = 10_000;
pub(super) const OUTPUT_LIMIT: usize = 64 * 1024;
/// Time for the last lines to arrive.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked for lines that were seen to be printed, or may have been, and after what time.
const LOOKS: u32 = 10;
const LOOKS_IF_SILENT: u32 = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Lines that explain a failure.
const ERROR_LINES: usize = 5;

pub(super) async fn run(cx: &Cx<Job>, place: &Place, params: &JobParams) -> Result<JobOutput, ActionError> {
    let planned = read(params, &cx.read, &place.namespace)?;
    let (at, made) = find_or_make(cx, place, params, &planned).await?;
    let ended = CancellationToken::new();
    let (sink, step) = (cx.read.sink.clone(), cx.read.step.clone());
    let printed = Arc::new(Printed::default());
    let heard = Arc::clone(&printed);
    let hear: Hear = Arc::new(move |pod, said| {
        heard.hear(pod, &said);
        if let Heard::Line(line, goes_on) = said {
            sink.progress(&step, Progress::printed(line, goes_on));
        }
    });
    let labels = pods_of(&at);
    let namespace = at.namespace.clone().unwrap_or_default();
    let ending = async {
        let result = wait(cx, place, params, &at, &made).await;
        ended.cancel();
        result
    };
    let printing = async {
        let last_lines = async {
            ended.cancelled().await;
            place.cluster.clock.sleep(LAST_LINES_WITHIN).await;
        };
        tokio::select! {
            () = follow(&place.cluster, &namespace, &labels, hear, ended.clone()) => {}
            () = last_lines => {}
        }
    };
    let (result, ()) = tokio::join!(ending, printing);
    output(place, params, &at, result?, &printed).await
}

pub(super) fn pods_of(at: &Address) -> String {
    format!("batch.kubernetes.io/job-name={}", at.name)
}

/// The Job that runs or has ended well; a new one when there is none, or the last has failed.
async fn find_or_make(cx: &Cx<Job>, place: &Place, params: &JobParams, planned: &Planned) -> Result<(Address, JobMade), ActionError> {
    for number in 1..=MOST {
        let at = planned.at(number);
        let intended = JobIntended { at: at.clone(), since: place.cluster.clock.now(), removed_after: planned.removed_after() };
        let ticket = cx.intend_one(key(Job::KIND, &target(&at.reference())), intended).await?;
        let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        match (live, &ticket.known) {
            (Some(live), _) if !is_ours(&live, &cx.read) => {
                return Err(ActionError::permanent(format!("{at} is there already, and not of this run")));
            }
            (Some(live), _) if has_failed(&live) => {}
            (Some(live), _) => return Ok((at, JobMade { uid: live.uid().to_owned() })),
            (None, Known::Settled(Settled::Done(_) | Settled::Unknown(_))) if params.read_only || params.idempotent => {}
            (None, Known::Settled(Settled::Done(_) | Settled::Unknown(_))) => return Err(vanished(&at)),
            (None, _) => {
                cx.read.doing(format!("starting {at}"));
                let (cluster, manager) = (place.cluster.clone(), place.managers.action(Job::KIND));
                let (job, there, read) = (planned.named(number), at.clone(), cx.read.clone());
                let write = async move {
                    match cluster.create(&there, &job, Manner::of(&manager)).await {
                        Ok(written) => Ok(JobMade { uid: written.object.uid().to_owned() }),
                        Err(error) if error.class == Class::AlreadyThere => match cluster.get(&there).await {
                            Ok(Some(live)) if is_ours(&live, &read) => Ok(JobMade { uid: live.uid().to_owned() }),
                            _ => Err(EffectError::Refused(failed(format!("cannot make {there}"), &error))),
                        },
                        Err(error) => Err(effect_failed(format!("cannot make {there}"), &error)),
                    }
                };
                return Ok((at, cx.effect(ticket, write).await?));
            }
        }
    }
    Err(ActionError::permanent(format!("{MOST} Jobs of this step have failed")))
}

fn has_failed(job: &Object) -> bool {
    ["Failed", "FailureTarget"].iter().any(|kind| job.is_condition_true(kind))
}

fn vanished(at: &Address) -> ActionError {
    ActionError::permanent(format!("{at} was removed before anybody saw how it ended"))
        .hint("say `idempotent: true` if it may run again, or give it a longer `ttlSecondsAfterFinished`")
}

/// Gives back how many of its pods ended well, if the Job says so: it may be removed at once.
async fn wait(cx: &Cx<Job>, place: &Place, params: &JobParams, at: &Address, made: &JobMade) -> Result<Option<i64>, ActionError> {
    let subjects = [Subject { at: at.clone(), pin: Pin { uid: Some(made.uid.clone()), ..Pin::default() } }];
    let default = Patience::default();
    // How often a container is started again is said by the Job.
    let patience =
        Patience { failure_grace: params.failure_grace.map_or(default.failure_grace, |grace| grace.0), restarts: u32::MAX, ..default };
    let mut waits_for = format!("{at} has not started yet");
    let mut tell = |text: String| {
        cx.read.doing(text.clone());
        waits_for = text;
    };
    let succeeded = AtomicI64::new(-1);
    let count = |job: &Object| {
        succeeded.store(job.number("/status/succeeded").unwrap_or(-1), Ordering::Relaxed);
        None
    };
    let waited = tokio::select! {
        waited = wait_healthy_by(&place.cluster, &subjects, patience, &count, &mut tell) => waited,
        () = cx.read.cancel.cancelled() => return Err(ActionError::transient(format!("stopped while it waited, and {at} may go on: {waits_for}"))),
    };
    match waited {
        Ok(()) => Ok(Some(succeeded.into_inner()).filter(|count| *count >= 0)),
        Err(WaitError::Api(error)) => Err(failed(format!("cannot watch {at}"), &error)),
        Err(WaitError::Unhealthy(unhealthy)) => {
            let live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
            Err(match live {
                Some(live) if live.uid() == made.uid => told(&unhealthy, has_failed(&live)),
                _ => vanished(at),
            })
        }
    }
}

/// A program that failed may do better; one that cannot start will not.
fn told(unhealthy: &Unhealthy, has_run: bool) -> ActionError {
    let message = format!("{} did not end well: {}", unhealthy.at, unhealthy.trouble);
    let mut failure = if has_run { ActionError::transient(message) } else { ActionError::permanent(message) }.into_failure();
    let lines: Vec<&str> = unhealthy.log.iter().flat_map(|log| log.lines()).collect();
    failure.causes.extend(lines[lines.len().saturating_sub(ERROR_LINES)..].iter().map(|line| (*line).to_owned()));
    failure.into()
}

/// What the Job gave, and what the pod printed that ended well last.
async fn output(
    place: &Place,
    params: &JobParams,
    at: &Address,
    succeeded: Option<i64>,
    printed: &Printed,
) -> Result<JobOutput, ActionError> {
    let pods = place.cluster.list(&Kind::known("Pod"), at.namespace.as_deref(), &by_labels(&pods_of(at))).await;
    let pods = pods.map_err(|error| failed(format!("cannot read the pods of {at}"), &error))?;
    let mut pods: Vec<Object> = pods.into_iter().filter(|pod| pod.text("/status/phase") == "Succeeded").collect();
    pods.sort_by_key(|pod| pod.text("/metadata/creationTimestamp").to_owned());
    let logs = match pods.last() {
        Some(pod) => logs_of(place, at, pod, printed.is_any()).await?,
        // A Job that wants no pod has none.
        None if succeeded == Some(0) => Some(String::new()),
        None => None,
    };
    // Pods that are gone were heard while they were there.
    let logs = logs.or_else(|| printed.whole(pods.last().map(Object::uid))).ok_or_else(|| unheard(params, at))?;
    let seen = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    let succeeded = u32::try_from(seen.max(succeeded.unwrap_or(0))).unwrap_or(u32::MAX);
    Ok(JobOutput { job: at.name.clone(), succeeded, logs: last_bytes(logs.trim(), OUTPUT_LIMIT).to_owned() })
}

fn unheard(params: &JobParams, at: &Address) -> ActionError {
    let message = format!("{at} has ended well, but its pod was removed before all that it printed was read");
    let hint = "give the Job a longer `ttlSecondsAfterFinished`, or none";
    // Only what may run twice may be heard a second time.
    let error = if params.read_only || params.idempotent { ActionError::transient(message) } else { ActionError::permanent(message) };
    error.hint(hint)
}

/// None when the pod is gone. Of a container that has just ended a node may give nothing for a moment, or no answer.
async fn logs_of(place: &Place, at: &Address, pod: &Object, has_printed: bool) -> Result<Option<String>, ActionError> {
    let Some(container) = container(pod) else { return Ok(Some(String::new())) };
    let mut look = 0;
    loop {
        look += 1;
        match place.cluster.logs(pod.namespace().unwrap_or_default(), pod.name(), container, false, LINES).await {
            Ok(logs) if !logs.trim().is_empty() => return Ok(Some(logs)),
            Ok(_) if look >= LOOKS_IF_SILENT && !has_printed => return Ok(Some(String::new())),
            Ok(_) if look >= LOOKS => return Err(ActionError::transient(format!("what {at} printed cannot be read"))),
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) if look >= LOOKS => return Err(failed(format!("cannot read what {at} printed"), &error)),
            _ => place.cluster.clock.sleep(LOOK_AGAIN).await,
        }
    }
}
