//go:build tools

// Package tools pins the two programs that turn VolumeSnapshots into calls of a CSI driver.
package tools

import (
	_ "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter"
	_ "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller"
)
