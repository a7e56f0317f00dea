//! In which order kinds are applied, so that each finds what it needs. It knows no object.

/// Kinds by when they are applied; a kind that is not named comes with the services.
const ORDER: &[&[&str]] = &[
    &["Namespace"],
    &["CustomResourceDefinition"],
    &["PriorityClass", "RuntimeClass", "StorageClass", "IngressClass", "GatewayClass"],
    &["ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"],
    &["ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget"],
    &["ConfigMap", "Secret"],
    &["PersistentVolume", "PersistentVolumeClaim"],
    &["Service"],
    &["StatefulSet", "DaemonSet", "Deployment", "ReplicaSet", "ReplicationController", "Pod", "Job", "CronJob"],
    &["HorizontalPodAutoscaler", "Ingress", "HTTPRoute"],
    &[
        "APIService",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "MutatingAdmissionPolicyBinding",
        "ValidatingAdmissionPolicyBinding",
    ],
];

/// Lower is applied earlier, and deleted later.
pub(in crate::actions) fn rank(kind: &str) -> usize {
    let services = 7;
    ORDER.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(services)
}

/// When an object is taken away that the run made: what can block other writes first, rights last.
pub(in crate::actions) fn removal_rank(kind: &str) -> usize {
    let rights = matches!(kind, "ClusterRole" | "Role" | "ClusterRoleBinding" | "RoleBinding" | "ServiceAccount");
    let known = ORDER.iter().rposition(|kinds| kinds.contains(&kind));
    let workloads = rank("Deployment");
    match (kind, known) {
        ("Namespace", _) => ORDER.len() + 2,
        _ if rights => ORDER.len() + 1,
        (_, Some(rank)) if rank > workloads => ORDER.len() - 1 - rank,
        // Its controller may have to let go of it, and is one of the workloads.
        (_, None) => ORDER.len() - 1 - workloads,
        (_, Some(rank)) => ORDER.len() - rank,
    }
}

/// True for kinds that can refuse writes of others.
pub(in crate::actions) fn is_blocking(kind: &str) -> bool {
    rank(kind) == ORDER.len() - 1
}

/// True for kinds that run pods.
pub(in crate::actions) fn is_workload(kind: &str) -> bool {
    rank(kind) == 8
}

#[cfg(test)]
mod tests {
    use super::{is_workload, rank, removal_rank};

    #[test]
    fn configuration_comes_before_what_reads_it() {
        let kinds = [
            "Namespace",
            "CustomResourceDefinition",
            "RoleBinding",
            "ConfigMap",
            "Service",
            "Deployment",
            "Ingress",
            "ValidatingWebhookConfiguration",
        ];
        assert!(kinds.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank("Gadget"), rank("Service"));
        assert!(is_workload("StatefulSet") && !is_workload("Service"));
    }

    #[test]
    fn what_blocks_goes_first_and_rights_go_last() {
        let kinds = [
            "ValidatingWebhookConfiguration",
            "Ingress",
            // What runs its controller, which may have to let go of it, is there until it is gone.
            "Gadget",
            "Deployment",
            "Service",
            "ConfigMap",
            "CustomResourceDefinition",
            "RoleBinding",
            "Namespace",
        ];
        assert!(kinds.windows(2).all(|pair| removal_rank(pair[0]) < removal_rank(pair[1])));
    }
}
