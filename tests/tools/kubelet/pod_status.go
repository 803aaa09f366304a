package main

import (
	"context"
	"log"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// reportRunning says that every container of the pod runs and is ready.
func (k *kubelet) reportRunning(ctx context.Context, started *startedPod) error {
	if started.reported {
		return nil
	}
	pod, now := started.pod, metav1.Now()
	status := k.commonStatus(pod, corev1.PodRunning)
	status.PodIP, status.PodIPs = podAddress, []corev1.PodIP{{IP: podAddress}}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	yes := true
	for _, spec := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image, Ready: true, Started: &yes,
			ContainerID: "stand-in://" + string(pod.UID) + "/" + spec.Name,
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	if err := k.patchStatus(ctx, pod, status); err != nil {
		return err
	}
	started.reported = true
	return nil
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
		now := metav1.Now()
		start = &now
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
