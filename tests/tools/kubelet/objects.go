package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// unsupportedError is about something that a kubelet can do and this program cannot: trying again does not help.
type unsupportedError struct{ what string }

func (e unsupportedError) Error() string { return "not supported by this kubelet stand-in: " + e.what }

func unsupported(format string, arguments ...any) error {
	return unsupportedError{fmt.Sprintf(format, arguments...)}
}

func isUnsupported(err error) bool {
	var unsupported unsupportedError
	return errors.As(err, &unsupported)
}

func isAbsent(err error) bool { return apierrors.IsNotFound(err) }

func isTrue(value *bool) bool { return value != nil && *value }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// namespaceObjects reads what a pod may refer to, always from the API server: a test that has just written it wants it.
type namespaceObjects struct {
	ctx       context.Context
	client    kubernetes.Interface
	namespace string
}

func (o namespaceObjects) configMap(name string) (*corev1.ConfigMap, error) {
	return o.client.CoreV1().ConfigMaps(o.namespace).Get(o.ctx, name, metav1.GetOptions{})
}

func (o namespaceObjects) secret(name string) (*corev1.Secret, error) {
	return o.client.CoreV1().Secrets(o.namespace).Get(o.ctx, name, metav1.GetOptions{})
}

func (o namespaceObjects) claim(name string) (*corev1.PersistentVolumeClaim, error) {
	return o.client.CoreV1().PersistentVolumeClaims(o.namespace).Get(o.ctx, name, metav1.GetOptions{})
}

// statusPatch changes the given fields of a status; with a uid, of that object alone and not of one of the same name.
func statusPatch(uid types.UID, status any) ([]byte, error) {
	patch := map[string]any{"status": status}
	if uid != "" {
		patch["metadata"] = map[string]any{"uid": uid}
	}
	return json.Marshal(patch)
}
