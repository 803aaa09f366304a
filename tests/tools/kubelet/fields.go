package main

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podField is what a fieldRef means for this pod: the paths that Kubernetes documents for the downward API, both as
// environment and as files.
func podField(pod *corev1.Pod, path string) (string, error) {
	if base, key, found := subscript(path); found {
		switch base {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
		return "", fmt.Errorf("fieldPath %q does not exist", path)
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return quotedLines(pod.Labels), nil
	case "metadata.annotations":
		return quotedLines(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs":
		// One network for all: the node's loopback address is every pod's.
		return podAddress, nil
	}
	return "", fmt.Errorf("fieldPath %q does not exist", path)
}

// subscript takes `metadata.labels['key']` apart.
func subscript(path string) (base, key string, found bool) {
	inner, closed := strings.CutSuffix(path, "']")
	if !closed {
		return "", "", false
	}
	return strings.Cut(inner, "['")
}

// quotedLines is the form of labels and annotations in a downward API file: `key="value"` with Go's escapes, sorted by
// key, one a line, no newline at the end.
func quotedLines(values map[string]string) string {
	lines := make([]string, 0, len(values))
	for _, key := range sortedKeys(values) {
		lines = append(lines, key+"="+strconv.Quote(values[key]))
	}
	return strings.Join(lines, "\n")
}
