package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// Each namespace of a cluster with a controller manager has this ConfigMap; where it is absent, the kubeconfig's
// certificate authority takes its place.
const (
	rootAuthority    = "kube-root-ca.crt"
	rootAuthorityKey = "ca.crt"
)

// file is one file of a volume.
type file struct {
	data []byte
	mode os.FileMode
}

// contents gathers the files of a configMap, secret, downwardAPI or projected volume. Sources are added in order; a later
// one replaces a file of the same path.
type contents struct {
	ctx     context.Context
	kubelet *kubelet
	pod     *corev1.Pod
	// folder is where the volume is; a token that is still good is taken from there.
	folder string
	files  map[string]file
}

func (c *contents) objects() namespaceObjects {
	return namespaceObjects{c.ctx, c.kubelet.cluster.client, c.pod.Namespace}
}

func (c *contents) add(source *corev1.Volume) error {
	switch {
	case source.ConfigMap != nil:
		s := source.ConfigMap
		return c.addConfigMap(s.Name, s.Items, s.Optional, s.DefaultMode)
	case source.Secret != nil:
		s := source.Secret
		return c.addSecret(s.SecretName, s.Items, s.Optional, s.DefaultMode)
	case source.DownwardAPI != nil:
		return c.addDownward(source.DownwardAPI.Items, source.DownwardAPI.DefaultMode)
	}
	for i := range source.Projected.Sources {
		if err := c.addProjection(&source.Projected.Sources[i], source.Projected.DefaultMode); err != nil {
			return fmt.Errorf("sources[%d]: %w", i, err)
		}
	}
	return nil
}

func (c *contents) addProjection(source *corev1.VolumeProjection, mode *int32) error {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := c.token(source.ServiceAccountToken)
		if err != nil {
			return err
		}
		return c.put(source.ServiceAccountToken.Path, token, nil, mode)
	case source.ConfigMap != nil:
		s := source.ConfigMap
		return c.addConfigMap(s.Name, s.Items, s.Optional, mode)
	case source.Secret != nil:
		s := source.Secret
		return c.addSecret(s.Name, s.Items, s.Optional, mode)
	case source.DownwardAPI != nil:
		return c.addDownward(source.DownwardAPI.Items, mode)
	}
	return unsupported("a projection of this kind")
}

func (c *contents) addConfigMap(name string, items []corev1.KeyToPath, optional *bool, mode *int32) error {
	object, err := c.objects().configMap(name)
	switch {
	case isAbsent(err) && name == rootAuthority && len(c.kubelet.cluster.ca) > 0:
		return c.addKeys("configmap "+name, map[string][]byte{rootAuthorityKey: bytes.Clone(c.kubelet.cluster.ca)}, items, optional, mode)
	case isAbsent(err) && isTrue(optional):
		return nil
	case err != nil:
		return err
	}
	values := map[string][]byte{}
	for key, value := range object.Data {
		values[key] = []byte(value)
	}
	for key, value := range object.BinaryData {
		values[key] = value
	}
	return c.addKeys("configmap "+name, values, items, optional, mode)
}

func (c *contents) addSecret(name string, items []corev1.KeyToPath, optional *bool, mode *int32) error {
	object, err := c.objects().secret(name)
	if isAbsent(err) && isTrue(optional) {
		return nil
	} else if err != nil {
		return err
	}
	return c.addKeys("secret "+name, object.Data, items, optional, mode)
}

// addKeys adds the keys that items name, or all of them.
func (c *contents) addKeys(from string, values map[string][]byte, items []corev1.KeyToPath, optional *bool, mode *int32) error {
	if len(items) == 0 {
		for _, key := range sortedKeys(values) {
			if err := c.put(key, values[key], nil, mode); err != nil {
				return err
			}
		}
		return nil
	}
	for _, item := range items {
		value, found := values[item.Key]
		if !found && isTrue(optional) {
			continue
		} else if !found {
			return fmt.Errorf("%s has no key %q", from, item.Key)
		}
		if err := c.put(item.Path, value, item.Mode, mode); err != nil {
			return err
		}
	}
	return nil
}

func (c *contents) addDownward(items []corev1.DownwardAPIVolumeFile, mode *int32) error {
	for _, item := range items {
		if item.FieldRef == nil {
			return unsupported("resourceFieldRef of %q", item.Path)
		}
		value, err := podField(c.pod, item.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		if err := c.put(item.Path, []byte(value), item.Mode, mode); err != nil {
			return err
		}
	}
	return nil
}

func (c *contents) put(path string, data []byte, own, volumeDefault *int32) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("path %q leads out of the volume", path)
	}
	mode := os.FileMode(fileModeDefault)
	if own != nil {
		mode = os.FileMode(*own)
	} else if volumeDefault != nil {
		mode = os.FileMode(*volumeDefault)
	}
	c.files[filepath.Clean(path)] = file{data, mode}
	return nil
}
