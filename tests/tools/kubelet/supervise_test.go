package main

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhatAContainerRuns(t *testing.T) {
	args := []string{"install", "--to", "$(PLACE)"}
	for name, example := range map[string]struct {
		command    []string
		entrypoint string
		expected   []string
	}{
		"its own command goes before the image's": {[]string{"/bin/x"}, "/agent", []string{"/bin/x", "install", "--to", "/hooks"}},
		"the image's program":                     {nil, "/agent", []string{"/agent", "install", "--to", "/hooks"}},
		"nothing is known":                        {nil, "", nil},
	} {
		c := &container{spec: &corev1.Container{Command: example.command, Args: args}, entrypoint: example.entrypoint, environment: []string{"PLACE=/hooks"}}
		if got := commandOf(c); !slices.Equal(got, example.expected) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
