// Command kubelet-stand-in does for tests what a kubelet does for exec hooks: it registers a Node, gives each of the
// Node's pods a root file system with its volumes and token, reports the pod as running, and runs what is exec'd into
// a container inside that root file system, over the kubelet's own streaming library.
//
// There is no container runtime: no images, cgroups, network or process namespaces. What it cannot do it refuses: such a
// pod stays Pending and its status says why.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	settings, err := parseSettings(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubelet-stand-in:", err)
		os.Exit(exitUsage)
	}
	if err := run(settings); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet-stand-in:", err)
		os.Exit(exitFailed)
	}
}

func run(settings settings) error {
	// Before anything else runs: this replaces the process.
	if err := enterOwnMountNamespace(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	record, err := openExecLog(settings.log)
	if err != nil {
		return err
	}
	cluster, err := connect(settings.kubeconfig)
	if err != nil {
		return err
	}
	kubelet, err := newKubelet(settings, cluster, record)
	if err != nil {
		return err
	}
	// Listening comes before registering: a Ready node answers.
	failed := make(chan error, 1)
	listener, err := listen(settings)
	if err != nil {
		return err
	}
	go func() { failed <- serve(ctx, listener, settings, kubelet) }()
	if err := registerNode(ctx, cluster.client, settings); err != nil {
		return err
	}
	go func() { failed <- kubelet.syncPods(ctx) }()
	return <-failed
}
