//! Finds the values of a plan's secrets where the plan says they are. They go to whoever asks and nowhere else.

use super::context::Context;
use super::failure::CommandFailure;
use super::print;
use super::simulate::SimulatedSecrets;
use crate::action::{ActionError, Redactor, RunScope, Secret};
use crate::engine::{Ahead, NeededSecret, Previewing, Secrets, secrets_needed};
use crate::ids::StepId;
use crate::plan::{Plan, SecretSource};
use crate::ports::{Clock, Files, Ports, ProcessSpec, Processes};
use crate::record::Failure;
use crate::report::words;
use futures::future::{BoxFuture, FutureExt, join_all};
use indexmap::IndexMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time for a program to tell a secret.
const WITHIN: Duration = Duration::from_secs(30);
/// Time to find out those that nobody has asked for yet.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// The secrets of one plan.
pub struct PlanSecrets(Arc<Inner>);

struct Inner {
    sources: IndexMap<String, SecretSource>,
    folder: PathBuf,
    files: Arc<dyn Files>,
    processes: Arc<dyn Processes>,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "kubernetes")]
    cluster: kubernetes::Place,
}

/// The secrets of a plan, as a run in this world finds them.
pub fn of_plan(context: &Context, sources: &IndexMap<String, SecretSource>, folder: PathBuf, scope: &RunScope) -> Arc<dyn Secrets> {
    if let Some(values) = &context.simulated_secrets {
        return Arc::new(SimulatedSecrets(values.clone()));
    }
    Arc::new(PlanSecrets::new(sources.clone(), folder, scope, &context.ports))
}

/// A secret that is not there before the run.
pub struct MissingSecret {
    /// Who needs it, and why it is not there, in one line.
    pub told: String,
    /// An earlier step of the run may make it.
    pub may_be_made: bool,
}

/// The secrets that what is ahead would miss. Programs that tell secrets are not asked before their time, since they may ask a person; only
/// whether they are there is looked at.
pub async fn missing(context: &Context, previewing: &Previewing, ahead: impl Fn(&StepId) -> Ahead) -> Vec<MissingSecret> {
    let mut missing = Vec::new();
    if context.simulated_secrets.is_some() {
        return missing;
    }
    for NeededSecret { name, step, may_be_made } in secrets_needed(previewing, ahead) {
        let Some(source) = previewing.plan.secrets.get(&name) else { continue };
        let failure = match source {
            SecretSource::Command(words) => no_program(context, &name, words).await,
            _ => match previewing.secrets.resolve(&name).await {
                Ok(secret) => {
                    previewing.redactor.learn(&secret);
                    None
                }
                Err(error) => Some(error.into_failure()),
            },
        };
        let Some(failure) = failure else { continue };
        match failure.retriable {
            // What cannot be told now may be there when it is needed.
            true => tracing::debug!(%name, failure.message, "cannot tell whether a secret is missing"),
            // No step changes the variables of this process.
            false => missing.push(MissingSecret {
                told: format!("{step}: {}", words::failure(&failure)),
                may_be_made: may_be_made && !matches!(source, SecretSource::Env(_)),
            }),
        }
    }
    missing
}

/// The secrets of a plan that are known before anything is done, whoever will ask for them: a step that was never given one may print it all
/// the same, as its environment holds it, and a run that goes back may tell what the process before it was given. Programs are not asked
/// before their time. One that cannot be had now is missed by nobody here: whoever needs it says so.
pub async fn known(plan: &Plan, secrets: &dyn Secrets, clock: &dyn Clock) -> Redactor {
    let is_named = |name: &String| plan.steps.iter().any(|step| step.secrets.contains(name));
    let is_known = |(name, source): &(&String, &SecretSource)| match source {
        SecretSource::Env(_) | SecretSource::File(_) => true,
        SecretSource::Kubernetes(_) => is_named(name),
        SecretSource::Command(_) => false,
    };
    let redactor = Redactor::default();
    let learn = async |name: &str| secrets.resolve(name).await.ok().iter().for_each(|secret| redactor.learn(secret));
    let learning = plan.secrets.iter().filter(is_known).map(|(name, _)| learn(name));
    tokio::select! {
        biased;
        _ = join_all(learning) => {}
        // A cluster that is away keeps nobody from going back.
        () = async { clock.sleep(KNOWN_WITHIN).await } => tracing::debug!("not all secrets are known yet"),
    }
    redactor
}

/// Why the program that tells a secret cannot be started. One that is named from the plan's folder may be made there by a step.
async fn no_program(context: &Context, name: &str, words: &[String]) -> Option<Failure> {
    let program = words.first()?;
    let places: Vec<PathBuf> = match program.contains('/') {
        true => vec![PathBuf::from(program)],
        false => std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).collect(),
    };
    for place in &places {
        if !place.is_absolute() || context.ports.files.size(place).await.is_some() {
            return None;
        }
    }
    Some(Failure::permanent(format!("the secret `{name}`: there is no program `{program}`")))
}

/// Secrets that are missing are found before anything is written, not in the middle of it. Of those that the run itself may make it is
/// only said that they are not there.
///
/// # Errors
/// When some are missing; all of them are told.
pub async fn check(context: &Context, previewing: &Previewing, ahead: impl Fn(&StepId) -> Ahead) -> Result<(), CommandFailure> {
    let missing = missing(context, previewing, ahead).await;
    let (later, now): (Vec<MissingSecret>, Vec<MissingSecret>) = missing.into_iter().partition(|secret| secret.may_be_made);
    if now.is_empty() {
        let told = later.iter().map(|secret| format!("not there now, unless a step of the run makes it first: {}", secret.told));
        if !context.is_json() {
            print::notices(&told.collect::<Vec<_>>(), context.streams);
        }
        return Ok(());
    }
    let mut failure = CommandFailure::usage("secrets are missing, so nothing was begun");
    failure.causes = now.into_iter().map(|secret| secret.told).collect();
    Err(failure.hint("give them where the plan's `secrets:` says, then type this again"))
}

impl PlanSecrets {
    /// Takes the sources; files and programs are found from the plan's folder.
    pub fn new(sources: IndexMap<String, SecretSource>, folder: PathBuf, scope: &RunScope, ports: &Ports) -> Self {
        #[cfg(not(feature = "kubernetes"))]
        let _ = scope;
        Self(Arc::new(Inner {
            sources,
            folder,
            files: Arc::clone(&ports.files),
            processes: Arc::clone(&ports.processes),
            clock: Arc::clone(&ports.clock),
            #[cfg(feature = "kubernetes")]
            cluster: kubernetes::Place::new(scope, ports),
        }))
    }
}

impl Secrets for PlanSecrets {
    fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        async move {
            let source = inner.sources.get(&name);
            let source = source.ok_or_else(|| ActionError::permanent(format!("the plan has no secret `{name}`")))?;
            let value = inner.read(&name, source).await?;
            // An empty value is a mistake that would otherwise show as a refused login somewhere else.
            match (value.is_empty(), source) {
                (false, _) => Ok(Secret::new(value)),
                (true, SecretSource::Env(variable)) => {
                    Err(ActionError::permanent(format!("the secret `{name}`: the variable {variable} is empty")))
                }
                (true, _) => Err(ActionError::permanent(format!("the secret `{name}` is empty"))),
            }
        }
        .boxed()
    }
}

impl Inner {
    async fn read(&self, name: &str, source: &SecretSource) -> Result<String, ActionError> {
        match source {
            SecretSource::Env(variable) => std::env::var(variable).map_err(|_| {
                ActionError::permanent(format!("the secret `{name}`: the variable {variable} is not set"))
                    .hint(format!("export {variable}"))
            }),
            SecretSource::File(path) => self.file(name, path).await,
            SecretSource::Command(words) => self.command(name, words).await,
            #[cfg(feature = "kubernetes")]
            SecretSource::Kubernetes(at) => self.cluster.read(name, at).await,
            #[cfg(not(feature = "kubernetes"))]
            SecretSource::Kubernetes(_) => {
                Err(ActionError::permanent(format!("the secret `{name}`: this bowline was built without Kubernetes")))
            }
        }
    }

    async fn file(&self, name: &str, path: &str) -> Result<String, ActionError> {
        let read = self.files.read(&self.folder.join(path)).await;
        let bytes = read.map_err(|error| ActionError::permanent(format!("the secret `{name}` cannot be read")).because(&error))?;
        text(name, bytes)
    }

    /// What the program prints on standard error is not repeated: it may hold the value.
    async fn command(&self, name: &str, words: &[String]) -> Result<String, ActionError> {
        let Some((program, args)) = words.split_first() else {
            return Err(ActionError::permanent(format!("the secret `{name}`: its command is empty")));
        };
        let directory = Some(self.folder.clone()).filter(|folder| !folder.as_os_str().is_empty());
        let spec = ProcessSpec { program: program.clone(), args: args.to_vec(), directory, ..ProcessSpec::default() };
        let stop = CancellationToken::new();
        // Dropped in time or not, the program ends with this future.
        let _ends = stop.clone().drop_guard();
        let exit = tokio::select! {
            exit = self.processes.run(spec, Arc::new(drop), stop) => exit,
            () = self.clock.sleep(WITHIN) => {
                return Err(ActionError::transient(format!("the secret `{name}`: `{program}` did not tell it within 30s")));
            }
        };
        let exit = exit.map_err(|error| ActionError::permanent(format!("the secret `{name}` cannot be had")).because(&error))?;
        match (exit.is_success(), exit.code) {
            (true, _) => text(name, exit.output.into_bytes()),
            (false, Some(code)) => Err(ActionError::transient(format!("the secret `{name}`: `{program}` ended with code {code}"))),
            (false, None) => Err(ActionError::transient(format!("the secret `{name}`: `{program}` was ended by a signal"))),
        }
    }
}

/// Files and programs end with a line break that is no part of the value.
fn text(name: &str, bytes: Vec<u8>) -> Result<String, ActionError> {
    let text = String::from_utf8(bytes).map_err(|_| ActionError::permanent(format!("the secret `{name}` is no text")))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(line.to_owned())
}

#[cfg(feature = "kubernetes")]
mod kubernetes {
    //! Secrets that are kept in the cluster itself.

    use super::text;
    use crate::action::{ActionError, RunScope};
    use crate::cluster::{Address, Clusters, kinds};
    use crate::plan::KubernetesSecret;
    use crate::ports::Ports;
    use data_encoding::BASE64;
    use std::sync::Arc;

    /// The run's cluster and namespace.
    pub(super) struct Place {
        clusters: Clusters,
        context: Option<String>,
        namespace: Option<String>,
    }

    impl Place {
        pub(super) fn new(scope: &RunScope, ports: &Ports) -> Self {
            let clusters = Clusters::new(Arc::clone(&ports.kubernetes), Arc::clone(&ports.clock));
            Self { clusters, context: scope.context.clone(), namespace: scope.namespace.clone() }
        }

        pub(super) async fn read(&self, name: &str, at: &KubernetesSecret) -> Result<String, ActionError> {
            let failed = || ActionError::transient(format!("the secret `{name}` cannot be read from the cluster"));
            let cluster = self.clusters.open(self.context.as_deref()).await.map_err(|error| failed().because(&error))?;
            let namespace = at.namespace.as_ref().or(self.namespace.as_ref()).unwrap_or(&cluster.connection.namespace).clone();
            let kind = kinds::table("v1", "Secret").ok_or_else(failed)?;
            let address = Address { kind, namespace: Some(namespace.clone()), name: at.secret.clone() };
            let object = cluster.get(&address).await.map_err(|error| failed().because(&error))?;
            let object = object
                .ok_or_else(|| ActionError::permanent(format!("the secret `{name}`: there is no Secret {} in {namespace}", at.secret)))?;
            let pointer = format!("/data/{}", at.key.replace('~', "~0").replace('/', "~1"));
            let wrong = || ActionError::permanent(format!("the secret `{name}`: the Secret {} has no usable key `{}`", at.secret, at.key));
            text(name, BASE64.decode(object.text(&pointer).as_bytes()).map_err(|_| wrong())?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PlanSecrets;
    use crate::cli::testing;
    use crate::engine::Secrets;
    use crate::plan::SecretSource;

    fn secrets(sources: &[(&str, SecretSource)], folder: &std::path::Path) -> PlanSecrets {
        let sources = sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone())).collect();
        PlanSecrets::new(sources, folder.to_owned(), &testing::scope(), &testing::ports())
    }

    #[tokio::test]
    async fn a_secret_comes_from_a_file_or_a_program_without_its_line_break() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("token"), "abc \r\n").unwrap();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let sources = [
            ("file", SecretSource::File("token".to_owned())),
            ("program", SecretSource::Command(words("cat token"))),
            ("failing", SecretSource::Command(words("sh -c exit${IFS}3"))),
            ("absent", SecretSource::File("nothing".to_owned())),
            ("empty", SecretSource::Command(words("true"))),
            ("unset", SecretSource::Env("BOWLINE_TEST_NOT_SET".to_owned())),
        ];
        let secrets = secrets(&sources, place.path());
        assert_eq!(secrets.resolve("file").await.unwrap().expose(), "abc ");
        assert_eq!(secrets.resolve("program").await.unwrap().expose(), "abc ");
        let mut told = Vec::new();
        for name in ["failing", "absent", "empty", "unset", "nobody"] {
            told.push(secrets.resolve(name).await.unwrap_err().to_string());
        }
        insta::assert_snapshot!(told.join("\n"), @"
        the secret `failing`: `sh` ended with code 3
        the secret `absent` cannot be read
        the secret `empty` is empty
        the secret `unset`: the variable BOWLINE_TEST_NOT_SET is not set
        the plan has no secret `nobody`
        ");
    }
}
