package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// report tells the API server how the pod does, if that has changed.
func (k *kubelet) report(ctx context.Context, started *startedPod) error {
	pod := started.pod
	status := k.commonStatus(pod, corev1.PodPending)
	status.PodIP, status.PodIPs = podAddress, []corev1.PodIP{{IP: podAddress}}
	initialized, ready := true, true
	for _, container := range started.ordered {
		if container.initial {
			status.InitContainerStatuses = append(status.InitContainerStatuses, container.status())
			initialized = initialized && container.status().Ready
		} else {
			status.ContainerStatuses = append(status.ContainerStatuses, container.status())
			ready = ready && container.status().Ready
		}
	}
	status.Phase = phaseOf(pod.Spec.RestartPolicy, status.InitContainerStatuses, status.ContainerStatuses)
	for _, condition := range []struct {
		kind corev1.PodConditionType
		met  bool
	}{{corev1.PodScheduled, true}, {corev1.PodInitialized, initialized}, {corev1.ContainersReady, ready}, {corev1.PodReady, ready}} {
		met := corev1.ConditionFalse
		if condition.met {
			met = corev1.ConditionTrue
		}
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: condition.kind, Status: met})
	}
	now, err := json.Marshal(status)
	if err != nil || bytes.Equal(now, started.told) {
		return err
	}
	for i := range status.Conditions {
		status.Conditions[i].LastTransitionTime = metav1.Now()
	}
	if err := k.patchStatus(ctx, pod, status); err != nil {
		return err
	}
	started.told = now
	return nil
}

// phaseOf follows the lifecycle that Kubernetes documents for pods.
func phaseOf(policy corev1.RestartPolicy, initial, containers []corev1.ContainerStatus) corev1.PodPhase {
	for _, status := range initial {
		if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 && policy == corev1.RestartPolicyNever {
			return corev1.PodFailed
		}
	}
	begun, ended, failed := 0, 0, 0
	for _, status := range containers {
		if status.State.Running != nil || status.State.Terminated != nil || status.LastTerminationState.Terminated != nil {
			begun++
		}
		if end := status.State.Terminated; end != nil && !startsAnew(policy, end.ExitCode) {
			ended++
			if end.ExitCode != 0 {
				failed++
			}
		}
	}
	switch {
	case begun < len(containers):
		return corev1.PodPending
	case ended < len(containers):
		return corev1.PodRunning
	case failed > 0:
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// reportWaiting says why the pod does not start.
func (k *kubelet) reportWaiting(ctx context.Context, pod *corev1.Pod, why error) error {
	reason := "ContainerCreating"
	if isUnsupported(why) {
		reason = "NotSupportedByStandIn"
	}
	status := k.commonStatus(pod, corev1.PodPending)
	status.Reason, status.Message = reason, why.Error()
	status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, Reason: reason},
		{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: reason},
	}
	for _, spec := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: why.Error()}},
		})
	}
	// Saying the same again would be an update that brings the pod back here at once.
	if pod.Status.Message == status.Message && pod.Status.Phase == corev1.PodPending {
		return nil
	}
	log.Printf("pod %s/%s waits: %v", pod.Namespace, pod.Name, why)
	return k.patchStatus(ctx, pod, status)
}

func (k *kubelet) commonStatus(pod *corev1.Pod, phase corev1.PodPhase) corev1.PodStatus {
	start := pod.Status.StartTime
	if start == nil {
		// A pod starts when it is first seen here; asked again before the API server knows, it says the same.
		start = &pod.CreationTimestamp
	}
	return corev1.PodStatus{
		Phase: phase, StartTime: start, HostIP: k.settings.listenHost, HostIPs: []corev1.HostIP{{IP: k.settings.listenHost}},
	}
}

// patchStatus writes all of what a kubelet owns, empty reason and message included.
func (k *kubelet) patchStatus(ctx context.Context, pod *corev1.Pod, status corev1.PodStatus) error {
	patch, err := statusPatch(pod.UID, podStatusPatch{PodStatus: status, Reason: status.Reason, Message: status.Message})
	if err != nil {
		return err
	}
	_, err = k.cluster.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// podStatusPatch says reason and message even when they are empty: a patch clears only what it names.
type podStatusPatch struct {
	corev1.PodStatus `json:",inline"`
	Reason           string `json:"reason"`
	Message          string `json:"message"`
}
