package main

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// defaultPath is what container runtimes set for an image that says nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// references is where an environment may come from, besides the pod itself.
type references interface {
	configMap(name string) (*corev1.ConfigMap, error)
	secret(name string) (*corev1.Secret, error)
}

var errAbsentKey = errors.New("key is absent")

// environment is a growing list of variables in which a name is defined once: the last definition counts.
type environment struct {
	order  []string
	values map[string]string
}

func (e *environment) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.order = append(e.order, name)
	}
	e.values[name] = value
}

func (e *environment) list() []string {
	list := make([]string, 0, len(e.order))
	for _, name := range e.order {
		list = append(list, name+"="+e.values[name])
	}
	return list
}

// containerEnvironment is what a process in the container finds: the runtime's own variables, the API server's address,
// then envFrom and env in the order of the spec. It is made once, when the container starts.
func containerEnvironment(pod *corev1.Pod, container *corev1.Container, settings settings, from references) ([]string, error) {
	e := &environment{values: map[string]string{}}
	e.set("PATH", defaultPath)
	e.set("HOSTNAME", pod.Name)
	e.set("HOME", "/")
	if settings.apiServerHost != "" {
		e.set("KUBERNETES_SERVICE_HOST", settings.apiServerHost)
		e.set("KUBERNETES_SERVICE_PORT", settings.apiServerPort)
		e.set("KUBERNETES_SERVICE_PORT_HTTPS", settings.apiServerPort)
	}
	for i := range container.EnvFrom {
		if err := addAll(e, &container.EnvFrom[i], from); err != nil {
			return nil, fmt.Errorf("envFrom[%d]: %w", i, err)
		}
	}
	for i := range container.Env {
		if err := addOne(e, pod, &container.Env[i], from); err != nil {
			return nil, fmt.Errorf("env %s: %w", container.Env[i].Name, err)
		}
	}
	return e.list(), nil
}

func addAll(e *environment, source *corev1.EnvFromSource, from references) error {
	switch {
	case source.ConfigMapRef != nil:
		object, err := from.configMap(source.ConfigMapRef.Name)
		if isAbsent(err) && isTrue(source.ConfigMapRef.Optional) {
			return nil
		} else if err != nil {
			return err
		}
		for _, key := range sortedKeys(object.Data) {
			e.set(source.Prefix+key, object.Data[key])
		}
	case source.SecretRef != nil:
		object, err := from.secret(source.SecretRef.Name)
		if isAbsent(err) && isTrue(source.SecretRef.Optional) {
			return nil
		} else if err != nil {
			return err
		}
		for _, key := range sortedKeys(object.Data) {
			e.set(source.Prefix+key, string(object.Data[key]))
		}
	default:
		return unsupported("neither a configMapRef nor a secretRef")
	}
	return nil
}

func addOne(e *environment, pod *corev1.Pod, variable *corev1.EnvVar, from references) error {
	if variable.ValueFrom == nil {
		e.set(variable.Name, expand(variable.Value, e.values))
		return nil
	}
	var value string
	var err error
	optional := false
	switch source := variable.ValueFrom; {
	case source.FieldRef != nil:
		value, err = podField(pod, source.FieldRef.FieldPath)
	case source.ConfigMapKeyRef != nil:
		optional = isTrue(source.ConfigMapKeyRef.Optional)
		value, err = configMapKey(from, source.ConfigMapKeyRef)
	case source.SecretKeyRef != nil:
		optional = isTrue(source.SecretKeyRef.Optional)
		value, err = secretKey(from, source.SecretKeyRef)
	default:
		return unsupported("its source is none of fieldRef, configMapKeyRef, secretKeyRef")
	}
	if optional && (isAbsent(err) || errors.Is(err, errAbsentKey)) {
		return nil
	} else if err != nil {
		return err
	}
	e.set(variable.Name, value)
	return nil
}

func configMapKey(from references, key *corev1.ConfigMapKeySelector) (string, error) {
	object, err := from.configMap(key.Name)
	if err != nil {
		return "", err
	}
	value, found := object.Data[key.Key]
	if !found {
		return "", fmt.Errorf("configmap %q, key %q: %w", key.Name, key.Key, errAbsentKey)
	}
	return value, nil
}

func secretKey(from references, key *corev1.SecretKeySelector) (string, error) {
	object, err := from.secret(key.Name)
	if err != nil {
		return "", err
	}
	value, found := object.Data[key.Key]
	if !found {
		return "", fmt.Errorf("secret %q, key %q: %w", key.Name, key.Key, errAbsentKey)
	}
	return string(value), nil
}

// expand replaces $(NAME) by the value of a variable that was defined before; $$ is a dollar sign; what is not defined
// stays as it is. The rules are those of a container's env, command and args.
func expand(text string, values map[string]string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		value, known := values[name]
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "(") && closed && known:
			out.WriteString(value)
			text = rest
		default:
			out.WriteByte('$')
			text = after
		}
	}
}

// environmentValues is a list of NAME=value as a table.
func environmentValues(list []string) map[string]string {
	values := map[string]string{}
	for _, variable := range list {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	return values
}
