//! Finds the pod, and the port in it, behind the name of a Service or a workload. It knows no command and no tunnel.

use super::selector;
use crate::ports::Connection;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ListParams};
use kube::core::Selector;
use std::fmt;
use std::str::FromStr;

/// What a command or a connection goes through to reach a pod, written `pod/web-0`, `service/web`, `deployment/web`, `statefulset/postgres`,
/// `selector/app=web`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Through {
    /// This pod.
    Pod(String),
    /// A ready pod behind this Service.
    Service(String),
    /// A ready pod of this Deployment.
    Deployment(String),
    /// The first ready pod of this StatefulSet.
    StatefulSet(String),
    /// A ready pod with these labels.
    Selector(String),
}

/// A pod that was chosen.
#[derive(Debug, Clone)]
pub struct ChosenPod {
    /// Its name.
    pub name: String,
    pod: Pod,
    service: Option<Service>,
}

/// Why no pod can be reached.
#[derive(Debug, thiserror::Error)]
pub enum ThroughError {
    /// The text names no kind that leads to pods.
    #[error("`{0}` leads to no pod: write `pod/NAME`, `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `selector/LABEL=VALUE`")]
    NotAName(String),
    /// The text names pods by their labels, and not as labels are named.
    #[error("`{text}` leads to no pod, for {why}")]
    NotASelector {
        /// The whole text.
        text: String,
        /// What is wrong with its labels.
        why: String,
    },
    /// There is no such object.
    #[error("there is no {through} in namespace `{namespace}`")]
    Absent {
        /// What was asked for.
        through: Through,
        /// Where.
        namespace: String,
    },
    /// It selects no pods at all.
    #[error("{0} selects no pods by itself, so nothing can be reached through it")]
    NoSelector(Through),
    /// None of its pods is ready.
    #[error("no pod of {through} is ready ({pods})")]
    NoneReady {
        /// What was asked for.
        through: Through,
        /// The pods that there are.
        pods: String,
    },
    /// There is no such port.
    #[error("{through} has no port {port}: it has {known}")]
    NoPort {
        /// What was asked for.
        through: Through,
        /// The port that was asked for.
        port: String,
        /// The ports that there are.
        known: String,
    },
    /// The API server did not help.
    #[error("cannot look up {through}")]
    Api {
        /// What was asked for.
        through: Through,
        /// Why.
        #[source]
        source: kube::Error,
    },
}

impl ThroughError {
    /// True when it may be gone at the next try.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotAName(_) | Self::NotASelector { .. } | Self::NoSelector(_) | Self::NoPort { .. } => false,
            Self::Absent { .. } | Self::NoneReady { .. } => true,
            Self::Api { source: kube::Error::Api(status), .. } => status.code == 429 || status.code >= 500,
            Self::Api { .. } => true,
        }
    }
}

impl FromStr for Through {
    type Err = ThroughError;
    fn from_str(text: &str) -> Result<Self, ThroughError> {
        let wrong = || ThroughError::NotAName(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        if kind == "selector" && !name.is_empty() {
            selector::check(name).map_err(|why| {
                let why = why.replace("write `", "write `selector/");
                ThroughError::NotASelector { text: text.to_owned(), why }
            })?;
            return Ok(Self::Selector(name.to_owned()));
        }
        if name.is_empty() || name.contains('/') {
            return Err(wrong());
        }
        match kind {
            "pod" => Ok(Self::Pod(name.to_owned())),
            "service" => Ok(Self::Service(name.to_owned())),
            "deployment" => Ok(Self::Deployment(name.to_owned())),
            "statefulset" | "stateful-set" => Ok(Self::StatefulSet(name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(name) => write!(f, "pod/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Deployment(name) => write!(f, "deployment/{name}"),
            Self::StatefulSet(name) => write!(f, "statefulset/{name}"),
            Self::Selector(labels) => write!(f, "selector/{labels}"),
        }
    }
}

impl Through {
    /// Chooses a pod: the named one, else the first by name that is ready and stays.
    ///
    /// # Errors
    /// See [`ThroughError`].
    pub async fn choose(&self, connection: &Connection, namespace: &str) -> Result<ChosenPod, ThroughError> {
        let none = || ThroughError::NoneReady { through: self.clone(), pods: describe(&[]) };
        self.ready(connection, namespace).await?.into_iter().next().ok_or_else(none)
    }

    /// The pods that may be chosen, by name; at least one.
    ///
    /// # Errors
    /// See [`ThroughError`].
    pub async fn ready(&self, connection: &Connection, namespace: &str) -> Result<Vec<ChosenPod>, ThroughError> {
        let look_up = LookUp { through: self, connection, namespace };
        if let Self::Pod(name) = self {
            return Ok(vec![ChosenPod { name: name.clone(), pod: look_up.get(name).await?, service: None }]);
        }
        let (labels, service) = look_up.labels().await?;
        let (ready, others): (Vec<Pod>, Vec<Pod>) = look_up.pods(&labels).await?.into_iter().partition(is_ready);
        if ready.is_empty() {
            return Err(ThroughError::NoneReady { through: self.clone(), pods: describe(&others) });
        }
        let chosen = |pod: Pod| ChosenPod { name: pod.metadata.name.clone().unwrap_or_default(), pod, service: service.clone() };
        Ok(ready.into_iter().map(chosen).collect())
    }

    /// The names of all pods that it may lead to, ready or not.
    ///
    /// # Errors
    /// See [`ThroughError`].
    pub async fn names(&self, connection: &Connection, namespace: &str) -> Result<Vec<String>, ThroughError> {
        if let Self::Pod(name) = self {
            return Ok(vec![name.clone()]);
        }
        let look_up = LookUp { through: self, connection, namespace };
        let (labels, _) = look_up.labels().await?;
        Ok(look_up.pods(&labels).await?.into_iter().filter_map(|pod| pod.metadata.name).collect())
    }

    /// The number of the pod's port that `port` stands for: a number, a name, or the only sensible one when none is given.
    /// Through a Service, numbers and names are the Service's.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn port(&self, chosen: &ChosenPod, port: Option<&str>) -> Result<u16, ThroughError> {
        let found = match &chosen.service {
            Some(service) => service_port(service, &chosen.pod, port),
            None => pod_port(&chosen.pod, port),
        };
        found.ok_or_else(|| ThroughError::NoPort {
            through: self.clone(),
            port: port.map_or_else(|| "of its own".to_owned(), |port| format!("`{port}`")),
            known: known_ports(chosen),
        })
    }
}

struct LookUp<'a> {
    through: &'a Through,
    connection: &'a Connection,
    namespace: &'a str,
}

impl LookUp<'_> {
    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.connection.client.clone(), self.namespace)
    }

    async fn get<K>(&self, name: &str) -> Result<K, ThroughError>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + serde::de::DeserializeOwned + fmt::Debug,
        K::DynamicType: Default,
    {
        let found = self.api::<K>().get_opt(name).await.map_err(|source| self.failed(source))?;
        found.ok_or_else(|| ThroughError::Absent { through: self.through.clone(), namespace: self.namespace.to_owned() })
    }

    fn failed(&self, source: kube::Error) -> ThroughError {
        ThroughError::Api { through: self.through.clone(), source }
    }

    /// The labels of its pods; and the Service, when it is one.
    async fn labels(&self) -> Result<(String, Option<Service>), ThroughError> {
        let (selector, service) = match self.through {
            Through::Selector(labels) => return Ok((labels.clone(), None)),
            Through::Pod(_) => (Selector::default(), None),
            Through::Service(name) => {
                let service = self.get::<Service>(name).await?;
                let labels = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
                (labels.into_iter().collect(), Some(service))
            }
            Through::Deployment(name) => (self.selector(self.get::<Deployment>(name).await?.spec.map(|spec| spec.selector))?, None),
            Through::StatefulSet(name) => (self.selector(self.get::<StatefulSet>(name).await?.spec.map(|spec| spec.selector))?, None),
        };
        // An empty selector would choose among all pods of the namespace.
        if selector.selects_all() {
            return Err(ThroughError::NoSelector(self.through.clone()));
        }
        Ok((selector.to_string(), service))
    }

    fn selector(&self, selector: Option<LabelSelector>) -> Result<Selector, ThroughError> {
        Selector::try_from(selector.unwrap_or_default()).map_err(|_| ThroughError::NoSelector(self.through.clone()))
    }

    /// The pods with these labels, by name.
    async fn pods(&self, labels: &str) -> Result<Vec<Pod>, ThroughError> {
        let listed = self.api::<Pod>().list(&ListParams::default().labels(labels)).await;
        let mut pods = listed.map_err(|source| self.failed(source))?.items;
        pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Ok(pods)
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

fn describe(pods: &[Pod]) -> String {
    let one = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned());
        format!("{} is {phase}", pod.metadata.name.as_deref().unwrap_or_default())
    };
    match pods {
        [] => "there are none".to_owned(),
        pods => pods.iter().take(3).map(one).collect::<Vec<_>>().join(", "),
    }
}

fn container_ports(pod: &Pod) -> impl Iterator<Item = (Option<&str>, u16)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(|port| Some((port.name.as_deref(), u16::try_from(port.container_port).ok()?)))
}

fn pod_port(pod: &Pod, port: Option<&str>) -> Option<u16> {
    let Some(port) = port else {
        return container_ports(pod).next().map(|(_, number)| number);
    };
    // A container may listen on ports that it does not declare.
    port.parse().ok().or_else(|| container_ports(pod).find(|(name, _)| *name == Some(port)).map(|(_, number)| number))
}

fn service_port(service: &Service, pod: &Pod, port: Option<&str>) -> Option<u16> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let found = match port {
        None => ports.first(),
        Some(port) => ports.iter().find(|known| known.name.as_deref() == Some(port) || known.port.to_string() == port),
    }?;
    match &found.target_port {
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok(),
        Some(IntOrString::String(name)) => pod_port(pod, Some(name)),
        None => u16::try_from(found.port).ok(),
    }
}

fn known_ports(chosen: &ChosenPod) -> String {
    let of_service = chosen.service.as_ref().and_then(|service| service.spec.as_ref()).and_then(|spec| spec.ports.as_ref());
    let known: Vec<String> = match of_service {
        Some(ports) => ports.iter().map(|port| port.port.to_string()).collect(),
        None => container_ports(&chosen.pod).map(|(_, number)| number.to_string()).collect(),
    };
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{ChosenPod, Through, is_ready};
    use serde_json::json;

    fn chosen(service: Option<serde_json::Value>) -> ChosenPod {
        let pod = json!({ "metadata": { "name": "web-1" }, "spec": { "containers": [
            { "name": "web", "ports": [{ "name": "http", "containerPort": 8080 }, { "containerPort": 9090 }] }] } });
        ChosenPod {
            name: "web-1".to_owned(),
            pod: serde_json::from_value(pod).unwrap(),
            service: service.map(|service| serde_json::from_value(service).unwrap()),
        }
    }

    #[test]
    fn a_name_says_what_leads_to_the_pod() {
        assert_eq!("statefulset/postgres".parse::<Through>().unwrap(), Through::StatefulSet("postgres".to_owned()));
        assert_eq!("selector/app.kubernetes.io/name=web".parse::<Through>().unwrap().to_string(), "selector/app.kubernetes.io/name=web");
        assert_eq!("service/web".parse::<Through>().unwrap().to_string(), "service/web");
        for wrong in ["web", "ingress/web", "pod/", "pod/a/b", "selector/"] {
            assert!(wrong.parse::<Through>().is_err(), "{wrong}");
        }
        let error = "ingress/web".parse::<Through>().unwrap_err();
        insta::assert_snapshot!(error, @"`ingress/web` leads to no pod: write `pod/NAME`, `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `selector/LABEL=VALUE`");
    }

    #[test]
    fn ports_of_a_service_are_those_of_the_service() {
        let through = Through::Service("web".to_owned());
        let ports = json!([{ "name": "web", "port": 80, "targetPort": "http" }, { "name": "metrics", "port": 81, "targetPort": 9090 }, { "port": 82 }]);
        let chosen = chosen(Some(json!({ "spec": { "ports": ports } })));
        for (asked, number) in [(None, 8080), (Some("80"), 8080), (Some("web"), 8080), (Some("metrics"), 9090), (Some("82"), 82)] {
            assert_eq!(through.port(&chosen, asked).unwrap(), number, "{asked:?}");
        }
        insta::assert_snapshot!(through.port(&chosen, Some("8080")).unwrap_err(), @"service/web has no port `8080`: it has 80, 81, 82");
    }

    #[test]
    fn ports_of_a_pod_are_those_of_its_containers() {
        let through = Through::Pod("web-1".to_owned());
        let chosen = chosen(None);
        for (asked, number) in [(None, 8080), (Some("http"), 8080), (Some("5432"), 5432)] {
            assert_eq!(through.port(&chosen, asked).unwrap(), number, "{asked:?}");
        }
        insta::assert_snapshot!(through.port(&chosen, Some("grpc")).unwrap_err(), @"pod/web-1 has no port `grpc`: it has 8080, 9090");
    }

    #[test]
    fn a_pod_that_is_going_is_not_ready() {
        let pod = |metadata: serde_json::Value| {
            let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
            serde_json::from_value(json!({ "metadata": metadata, "status": ready })).unwrap()
        };
        assert!(is_ready(&pod(json!({ "name": "a" }))));
        assert!(!is_ready(&pod(json!({ "name": "a", "deletionTimestamp": "2026-11-21T00:00:00Z" }))));
    }
}
