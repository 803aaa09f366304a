package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func samplePod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "db-0", Namespace: "shop", UID: "u-1",
			Labels:      map[string]string{"velero.io/snapshot-group": "group-1", "a": "", "a.b": "x=y"},
			Annotations: map[string]string{"note": "two\nlines \"quoted\" \\ ä"},
		},
		Spec: corev1.PodSpec{NodeName: "node-a", ServiceAccountName: "db"},
	}
}

func TestFieldsOfAPod(t *testing.T) {
	for path, expected := range map[string]string{
		"metadata.name":        "db-0",
		"metadata.namespace":   "shop",
		"metadata.uid":         "u-1",
		"metadata.labels":      "a=\"\"\na.b=\"x=y\"\nvelero.io/snapshot-group=\"group-1\"",
		"metadata.annotations": `note="two\nlines \"quoted\" \\ ä"`,
		"metadata.labels['velero.io/snapshot-group']": "group-1",
		"metadata.labels['absent']":                   "",
		"metadata.annotations['note']":                "two\nlines \"quoted\" \\ ä",
		"spec.nodeName":                               "node-a",
		"spec.serviceAccountName":                     "db",
		"status.podIP":                                "127.0.0.1",
	} {
		if got, err := podField(samplePod(), path); err != nil || got != expected {
			t.Errorf("%s: got %q, %v; expected %q", path, got, err, expected)
		}
	}
	for _, path := range []string{"metadata.generation", "spec.containers['x']", "metadata.labels['open", ""} {
		if got, err := podField(samplePod(), path); err == nil {
			t.Errorf("%s: got %q, expected an error", path, got)
		}
	}
}

func TestNoLabelsAreAnEmptyFile(t *testing.T) {
	if got := quotedLines(nil); got != "" {
		t.Errorf("got %q", got)
	}
}
