//go:build tools

// Package tools pins a real Velero server and its AWS plugin. One module for both: the plugin then shares the packages
// that were compiled for the server.
package tools

import (
	_ "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws"
	_ "github.com/vmware-tanzu/velero/cmd/velero"
)
