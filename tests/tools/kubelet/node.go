package main

import (
	"context"
	"fmt"
	"log"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// A kubelet's defaults: a Lease of 40 s, renewed every 10 s.
const (
	nodeLeaseSeconds       = 40
	nodeLeaseRenewInterval = 10 * time.Second
)

// More than any test needs; nothing is measured against it.
var nodeSize = corev1.ResourceList{
	corev1.ResourceCPU:    resource.MustParse("64"),
	corev1.ResourceMemory: resource.MustParse("256Gi"),
	corev1.ResourcePods:   resource.MustParse("10000"),
}

// registerNode makes the Node Ready and keeps its Lease fresh until ctx ends.
func registerNode(ctx context.Context, client kubernetes.Interface, settings settings) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: settings.node,
		Labels: map[string]string{
			corev1.LabelOSStable:   runtime.GOOS,
			corev1.LabelArchStable: runtime.GOARCH,
			corev1.LabelHostname:   settings.node,
		},
	}}
	if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("cannot create the Node %s: %w", settings.node, err)
	}
	// Only an InternalIP: by default the API server prefers a Hostname, which nothing resolves.
	status := corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: settings.listenHost}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(settings.listenPort)}},
		Capacity:        nodeSize,
		Allocatable:     nodeSize,
		NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: "stand-in", ContainerRuntimeVersion: "none://", OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH,
		},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "a stand-in that runs no containers",
			LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		}},
	}
	patch, err := statusPatch("", status)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Nodes().Patch(ctx, settings.node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("cannot make the Node %s ready: %w", settings.node, err)
	}
	if err := renewNodeLease(ctx, client, settings.node); err != nil {
		return fmt.Errorf("cannot write the Lease of the Node %s: %w", settings.node, err)
	}
	go keepNodeLease(ctx, client, settings.node)
	return nil
}

func keepNodeLease(ctx context.Context, client kubernetes.Interface, node string) {
	ticker := time.NewTicker(nodeLeaseRenewInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// A later tick tries again; the Lease outlives three failures.
			if err := renewNodeLease(ctx, client, node); err != nil {
				log.Printf("lease of node %s: %v", node, err)
			}
		}
	}
}

func renewNodeLease(ctx context.Context, client kubernetes.Interface, node string) error {
	leases := client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	lease, err := leases.Get(ctx, node, metav1.GetOptions{})
	absent := apierrors.IsNotFound(err)
	if err != nil && !absent {
		return err
	}
	if absent {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: node}}
	}
	lease.Spec.HolderIdentity = &node
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(nodeLeaseSeconds))
	lease.Spec.RenewTime = ptr.To(metav1.NowMicro())
	if absent {
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	return err
}
