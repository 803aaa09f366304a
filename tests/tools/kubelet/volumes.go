package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

const (
	// emptyDirMode is a kubelet's: every user of the pod may write.
	emptyDirMode = 0o777 | os.ModeSticky
	claimMode    = 0o777
	// fileModeDefault is that of configMap, secret, downwardAPI and projected volumes that name none.
	fileModeDefault = 0o644
)

// defaultTokenVolume is the volume that admission would add to the pod.
const defaultTokenVolume = "kube-api-access"

// defaultTokenPath is where that volume is mounted in each container.
const defaultTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// tokenExpirySeconds is what admission asks for: an hour and some, so that kubelets renew before clients complain.
const tokenExpirySeconds = 3607

// volume is one volume of a pod as a folder (or, for a hostPath, a file) of this machine.
type volume struct {
	path     string
	readOnly bool
}

// withDefaultToken adds what the ServiceAccount admission plugin adds to a pod that does not mount a token of its own
// accord; the test bed's API server runs without that plugin. The pod given is left as it is.
//
// A pod that names no ServiceAccount gets none: where the plugin has not written "default" into the spec, the API server
// binds no token to the pod.
func withDefaultToken(pod *corev1.Pod) *corev1.Pod {
	if pod.Spec.ServiceAccountName == "" {
		return pod
	}
	if pod.Spec.AutomountServiceAccountToken != nil && !*pod.Spec.AutomountServiceAccountToken {
		return pod
	}
	pod = pod.DeepCopy()
	wanted := false
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if !mountsAt(&list[i], defaultTokenPath) {
				wanted = true
				list[i].VolumeMounts = append(list[i].VolumeMounts, corev1.VolumeMount{Name: defaultTokenVolume, MountPath: defaultTokenPath, ReadOnly: true})
			}
		}
	}
	if !wanted {
		return pod
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: defaultTokenVolume, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To(int64(tokenExpirySeconds))}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: rootAuthority},
				Items:                []corev1.KeyToPath{{Key: rootAuthorityKey, Path: rootAuthorityKey}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}},
			}}},
		}},
	}})
	return pod
}

func mountsAt(container *corev1.Container, path string) bool {
	for _, mount := range container.VolumeMounts {
		if filepath.Clean(mount.MountPath) == path {
			return true
		}
	}
	return false
}

// volumesOf makes every volume of the pod, or brings those that follow the API server up to date.
func (k *kubelet) volumesOf(ctx context.Context, pod *corev1.Pod, folder string) (map[string]volume, error) {
	volumes := map[string]volume{}
	for i := range pod.Spec.Volumes {
		source := &pod.Spec.Volumes[i]
		made, err := k.makeVolume(ctx, pod, source, filepath.Join(folder, ".volumes", source.Name))
		if err != nil {
			return nil, fmt.Errorf("volume %q: %w", source.Name, err)
		}
		volumes[source.Name] = made
	}
	return volumes, nil
}

func (k *kubelet) makeVolume(ctx context.Context, pod *corev1.Pod, source *corev1.Volume, folder string) (volume, error) {
	switch {
	case source.EmptyDir != nil:
		return volume{path: folder}, makeFolder(folder, emptyDirMode)
	case source.PersistentVolumeClaim != nil:
		claim := source.PersistentVolumeClaim
		return k.claimVolume(ctx, pod.Namespace, claim.ClaimName, claim.ReadOnly)
	case source.Ephemeral != nil:
		return k.claimVolume(ctx, pod.Namespace, pod.Name+"-"+source.Name, false)
	case source.HostPath != nil:
		return hostVolume(source.HostPath)
	case source.ConfigMap != nil, source.Secret != nil, source.DownwardAPI != nil, source.Projected != nil:
		contents := &contents{ctx: ctx, kubelet: k, pod: pod, folder: folder, files: map[string]file{}}
		if err := contents.add(source); err != nil {
			return volume{}, err
		}
		return volume{path: folder, readOnly: true}, writeAtOnce(folder, contents.files)
	}
	return volume{}, unsupported("volumes other than emptyDir, configMap, secret, downwardAPI, projected, hostPath and claims")
}

// claimVolume is a folder for the claim's PersistentVolume; it outlives the pod.
func (k *kubelet) claimVolume(ctx context.Context, namespace, name string, readOnly bool) (volume, error) {
	claim, err := namespaceObjects{ctx, k.cluster.client, namespace}.claim(name)
	if err != nil {
		return volume{}, err
	}
	if claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName == "" {
		return volume{}, fmt.Errorf("PersistentVolumeClaim %q is not bound", name)
	}
	if claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock {
		return volume{}, unsupported("PersistentVolumeClaim %q has volumeMode Block", name)
	}
	folder := filepath.Join(k.settings.root, ".volumes", claim.Spec.VolumeName)
	return volume{path: folder, readOnly: readOnly}, makeFolder(folder, claimMode)
}

func hostVolume(source *corev1.HostPathVolumeSource) (volume, error) {
	kind := ptr.Deref(source.Type, corev1.HostPathUnset)
	switch kind {
	case corev1.HostPathDirectoryOrCreate:
		if err := os.MkdirAll(source.Path, 0o755); err != nil {
			return volume{}, err
		}
	case corev1.HostPathUnset, corev1.HostPathDirectory, corev1.HostPathFile:
	default:
		return volume{}, unsupported("hostPath of type %s", kind)
	}
	_, err := os.Stat(source.Path)
	return volume{path: source.Path}, err
}

// makeFolder does nothing to a folder that is there: its mode may have been changed from within.
func makeFolder(path string, mode os.FileMode) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	// Not by MkdirAll, from which the umask takes.
	return os.Chmod(path, mode)
}
