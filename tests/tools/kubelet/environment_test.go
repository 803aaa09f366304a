package main

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

// known are the objects of a namespace.
type known struct {
	configMaps map[string]map[string]string
	secrets    map[string]map[string][]byte
}

func (k known) configMap(name string) (*corev1.ConfigMap, error) {
	data, found := k.configMaps[name]
	if !found {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
	}
	return &corev1.ConfigMap{Data: data}, nil
}

func (k known) secret(name string) (*corev1.Secret, error) {
	data, found := k.secrets[name]
	if !found {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
	}
	return &corev1.Secret{Data: data}, nil
}

func TestEnvironmentOfAContainer(t *testing.T) {
	objects := known{
		configMaps: map[string]map[string]string{"settings": {"b": "from b", "a": "from a"}},
		secrets:    map[string]map[string][]byte{"login": {"password": []byte("p")}},
	}
	reference := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	container := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{Prefix: "S_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("settings")}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("absent"), Optional: ptr.To(true)}},
		},
		Env: []corev1.EnvVar{
			{Name: "FIRST", Value: "1"},
			{Name: "S_a", Value: "$(FIRST)/$(S_b)"},
			{Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: reference("login"), Key: "password"}}},
			{Name: "GONE", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: reference("settings"), Key: "no", Optional: ptr.To(true)}}},
			{Name: "PATH", Value: "/own"},
		},
	}
	got, err := containerEnvironment(samplePod(), container, settings{apiServerHost: "127.0.0.1", apiServerPort: "6443"}, objects)
	expected := []string{
		"PATH=/own", "HOSTNAME=db-0", "HOME=/",
		"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=6443", "KUBERNETES_SERVICE_PORT_HTTPS=6443",
		"S_a=1/from b", "S_b=from b", "FIRST=1", "NAME=db-0", "PASSWORD=p",
	}
	if err != nil || !slices.Equal(got, expected) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEnvironmentThatCannotBeMade(t *testing.T) {
	variable := func(source corev1.EnvVarSource) *corev1.Container {
		return &corev1.Container{Env: []corev1.EnvVar{{Name: "X", ValueFrom: &source}}}
	}
	objects := known{configMaps: map[string]map[string]string{"settings": {}}}
	settingsKey := &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "no"}
	if _, err := containerEnvironment(samplePod(), variable(corev1.EnvVarSource{ConfigMapKeyRef: settingsKey}), settings{}, objects); !errors.Is(err, errAbsentKey) {
		t.Errorf("a key that is absent: %v", err)
	}
	resource := variable(corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}})
	if _, err := containerEnvironment(samplePod(), resource, settings{}, objects); !isUnsupported(err) {
		t.Errorf("a resource: %v", err)
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"A": "1", "EMPTY": ""}
	for text, expected := range map[string]string{
		"":              "",
		"$(A)$(A)":      "11",
		"x$(EMPTY)y":    "xy",
		"$$(A)":         "$(A)",
		"$$$(A)":        "$1",
		"$(B) $(":       "$(B) $(",
		"$A $":          "$A $",
		"cost: 5$ $(A)": "cost: 5$ 1",
	} {
		if got := expand(text, values); got != expected {
			t.Errorf("%q: got %q, expected %q", text, got, expected)
		}
	}
}
