package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPhaseOfAPod(t *testing.T) {
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	waiting := corev1.ContainerStatus{State: waitingFor("PodInitializing")}
	ended := func(code int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
	}
	again := corev1.ContainerStatus{State: waitingFor("CrashLoopBackOff"), LastTerminationState: ended(1).State}
	type statuses = []corev1.ContainerStatus
	for _, example := range []struct {
		name          string
		policy        corev1.RestartPolicy
		initial, main statuses
		expected      corev1.PodPhase
	}{
		{"all run", corev1.RestartPolicyAlways, nil, statuses{running, running}, corev1.PodRunning},
		{"an init container runs", corev1.RestartPolicyAlways, statuses{running}, statuses{waiting}, corev1.PodPending},
		{"an init container failed for good", corev1.RestartPolicyNever, statuses{ended(1)}, statuses{waiting}, corev1.PodFailed},
		{"an init container will be tried again", corev1.RestartPolicyAlways, statuses{ended(1)}, statuses{waiting}, corev1.PodPending},
		{"one has not begun", corev1.RestartPolicyAlways, nil, statuses{running, waiting}, corev1.PodPending},
		{"one waits to be started again", corev1.RestartPolicyAlways, nil, statuses{running, again}, corev1.PodRunning},
		{"all ended well", corev1.RestartPolicyNever, nil, statuses{ended(0), ended(0)}, corev1.PodSucceeded},
		{"one failed", corev1.RestartPolicyNever, nil, statuses{ended(0), ended(2)}, corev1.PodFailed},
		{"one failed and will be started again", corev1.RestartPolicyOnFailure, nil, statuses{ended(0), ended(2)}, corev1.PodRunning},
		{"ended, to be started again", corev1.RestartPolicyAlways, nil, statuses{ended(0)}, corev1.PodRunning},
	} {
		if got := phaseOf(example.policy, example.initial, example.main); got != example.expected {
			t.Errorf("%s: got %s, expected %s", example.name, got, example.expected)
		}
	}
}
