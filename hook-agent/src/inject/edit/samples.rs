//! Manifests in the forms that people and programs write.

/// A StatefulSet as people write it: comments everywhere, lists indented, a claim.
pub const PLAIN: &str = "\
# A database.
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db          # the name
  namespace: \"shop\"
spec:
  serviceName: db

  replicas: 3
  template:
    # What all pods have.
    metadata:
      labels: {app: db}
    spec:
      serviceAccountName: db
      containers:
        # The workload.
        - name: db
          image: 'postgres:16'
          command:
            - sh
            - -c
            - |
              exec postgres

              # not a comment
          volumeMounts:
            - name: data
              mountPath: /data
              # subPath: x
        - name: exporter
          image: exporter
      # What Kubernetes does with it.
      terminationGracePeriodSeconds: 30   # seconds

  volumeClaimTemplates:
    - metadata: {name: data}
# The end.
";

/// As Helm renders: hyphens below their keys, keys without values, a Service beside it, no line break at the end.
pub const HELM: &str = "\
---
# Source: shop/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: db
---
# Source: shop/templates/statefulset.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  template:
    metadata:
      annotations:
      labels:
        app: db
    spec:
      automountServiceAccountToken: false
      initContainers: []
      containers:
      - image: postgres
        name: db
        volumeMounts:
        - mountPath: /data
          name: data
        - {name: conf, mountPath: /conf}
      volumes:
      - name: conf
        configMap:
          name: conf
---
# nothing
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: x
data:
  a: |+
    {{ not a template }}

...
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      volumes:
      containers:
      -   # the only one
        name: web
        image: web";

/// Between braces, on one line and over several.
pub const FLOW: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: a, namespace: shop}
  spec: {template: {metadata: {}, spec: {containers: [{name: a, image: a, volumeMounts: []}], volumes: [ ]}}}
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: b}
  spec:
    template:
      spec: {
        containers: [
          {name: b,
           image: b},
        ],
      }
";

/// As kubectl prints JSON.
pub const JSON: &str = r#"{
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "template": {
            "metadata": {
                "annotations": {},
                "labels": {
                    "app": "db"
                }
            },
            "spec": {
                "containers": [
                    {
                        "image": "a\/b",
                        "name": "db"
                    }
                ]
            }
        }
    }
}
"#;

/// A pod, whose end is the end of all its parts.
pub const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  annotations:
    a: >+
      kept


    b: c
spec:
  volumes:
    - name: podinfo
      downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
  containers:
    - name: db
      volumeMounts:
        - {name: podinfo, mountPath: /etc/podinfo/}
      args: [a,
        b]
      env:
        - name: LAST
          value: |+
            last


";

/// All, with CRLF too.
pub fn all() -> Vec<String> {
    let plain = [PLAIN, HELM, FLOW, JSON, POD];
    let without_end = |text: &&str| text.trim_end().to_owned();
    let crlf = |text: &&str| text.replace('\n', "\r\n");
    plain
        .iter()
        .map(|text| (*text).to_owned())
        .chain(plain.iter().map(crlf))
        .chain(plain[..4].iter().map(without_end))
        .collect()
}
