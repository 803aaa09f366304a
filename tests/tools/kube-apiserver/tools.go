//go:build tools

// Package tools pins the program that the real-control-plane tests run.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
