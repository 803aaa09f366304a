package main

import (
	"fmt"
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Enough for hundreds of pods that start at once; the API server is ours alone.
const (
	requestsPerSecond = 500
	requestBurst      = 1000
)

// cluster is the API server: how to ask it, and the certificate authority that containers shall trust.
type cluster struct {
	client kubernetes.Interface
	ca     []byte
}

func connect(kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = requestsPerSecond, requestBurst
	ca, err := authority(config)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig %s: %w", kubeconfig, err)
	}
	return &cluster{client: client, ca: ca}, nil
}

// authority is the PEM text that a kubeconfig holds or points to; empty when it names none.
func authority(config *rest.Config) ([]byte, error) {
	if len(config.CAData) > 0 || config.CAFile == "" {
		return config.CAData, nil
	}
	ca, err := os.ReadFile(config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the kubeconfig's certificate authority: %w", err)
	}
	return ca, nil
}
