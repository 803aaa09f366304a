#!/bin/bash
# The original's pre hook, step by step, in our own words. Calls, names and pauses are the original's.
podinfo=/etc/podinfo

# Its group is what follows "=" in the line of its label; the quotes that every such file has stay in it.
group=$(cat $podinfo/labels | sed -n 's|^velero.io/snapshot-group=||p')
# A pod without the label is not held up.
[ -n "$group" ] || exit 0

pod=$(cat $podinfo/name)
home=$(cat $podinfo/namespace)

# It says that it waits, by a ConfigMap without labels. Whether that could be written is not looked at.
kubectl create configmap "snapshot-wait-$group-$home-$pod" --namespace velero \
  --from-literal=status=waiting --from-literal=podName="$pod" --from-literal=namespace="$home" \
  --from-literal=timestamp="$(date --utc +%Y-%m-%dT%H:%M:%SZ)"

# It asks every ten seconds, without end, for the word "ready". It quiesces nothing, before or after.
until [ "$(kubectl get configmap --namespace velero "snapshot-proceed-$group" \
  -o jsonpath='{.data.status}' --ignore-not-found)" = ready ]; do
  echo "not yet: $group"
  sleep 10
done
echo "released: $group"
