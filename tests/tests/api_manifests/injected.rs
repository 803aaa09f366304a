//! Does a real API server take what `hook-agent inject` makes, also where Pod Security is `restricted`, and do patches say the same as manifests?

use serde_json::Value;

use crate::pages::Reader;

const IMAGE: &str = "registry.example.com/backup/hook-agent:0.1.0";

/// Writes `pod.yaml`, as strict as `restricted` wants it, and `set.yaml`.
const FILES: &str = r"
kubectl label namespace shop pod-security.kubernetes.io/enforce=restricted
cat > pod.yaml <<'EOF'
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop}
spec:
  serviceAccountName: db
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: db
    image: postgres
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
EOF
cat > set.yaml <<'EOF'
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      serviceAccountName: db
      securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: db
        image: postgres
        securityContext: &strict {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        volumeMounts: [{name: conf, mountPath: /conf}]
      - {name: exporter, image: exporter, securityContext: *strict}
      volumes: [{name: conf, emptyDir: {}}]
EOF
kubectl apply -f set.yaml
mkdir -p base component
mv set.yaml base
printf 'resources: [set.yaml]\n' > base/kustomization.yaml
printf 'resources: [base]\ncomponents: [component]\n' > kustomization.yaml
";

/// Lists that Kubernetes merges by name, in one order; the first container stays the first.
fn template(text: &str) -> Value {
    let mut template = serde_saphyr::from_str::<Value>(text).expect("an object")["spec"]["template"].take();
    assert_eq!(template["spec"]["containers"][0]["name"], "db", "another container is the default one now");
    for list in ["/spec/containers", "/spec/volumes", "/spec/containers/0/volumeMounts"] {
        if let Some(Value::Array(items)) = template.pointer_mut(list) {
            items.sort_by_key(|item| item["name"].as_str().map(str::to_owned));
        }
    }
    template
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_injected_is_accepted_as_manifest_and_as_patch() {
    let Some(reader) = Reader::start("inject").await else { return };
    reader.bash(FILES).await;
    for how in ["init-container", "sidecar", "image-volume"] {
        let inject = format!("hook-agent inject --image {IMAGE} --how {how}");
        let said = reader
            .bash(&format!("{inject} --service-account-binding -f pod.yaml | kubectl --warnings-as-errors apply --dry-run=server -f -"))
            .await;
        for object in ["pod/db-0", "role.rbac.authorization.k8s.io/hook-agent-register", "/hook-agent-register-db"] {
            assert!(said.contains(object), "{how}: {said}");
        }
        let manifest =
            reader.bash(&format!("{inject} -f base/set.yaml | kubectl apply --dry-run=server -o json -f -")).await;
        let patch = format!(
            "kubectl -n shop patch statefulset db --dry-run=server -o json --patch \"$({inject} -f base/set.yaml -o patch)\""
        );
        let patched = reader.bash(&patch).await;
        assert_eq!(template(&patched), template(&manifest), "{how}");
        let component = format!("{inject} -f base/set.yaml -o kustomize > component/kustomization.yaml");
        let built = reader.bash(&format!("{component}; kubectl kustomize .")).await;
        let edited = reader.bash(&format!("{inject} -f base/set.yaml")).await;
        assert_eq!(template(&built), template(&edited), "{how}");
    }
}
