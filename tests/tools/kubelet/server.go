package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/remotecommand"
)

// A kubelet's defaults (streaming-connection-idle-timeout and the streaming server's creation timeout).
const (
	streamIdleTimeout     = 4 * time.Hour
	streamCreationTimeout = 30 * time.Second
	readHeaderTimeout     = 30 * time.Second
)

func listen(settings settings) (net.Listener, error) {
	address := net.JoinHostPort(settings.listenHost, strconv.Itoa(settings.listenPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return listener, nil
}

// serve answers the API server until ctx ends. Commands that run then go on; their clients lose the connection.
func serve(ctx context.Context, listener net.Listener, settings settings, kubelet *kubelet) error {
	routes := http.NewServeMux()
	routes.HandleFunc("/exec/{namespace}/{pod}/{container}", kubelet.serveExec)
	routes.HandleFunc("/exec/{namespace}/{pod}/{uid}/{container}", kubelet.serveExec)
	routes.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, "ok") })
	routes.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		log.Printf("not implemented: %s %s", request.Method, request.URL.Path)
		http.Error(answer, "this kubelet stand-in does not implement "+request.URL.Path, http.StatusNotImplemented)
	})
	// Streams are upgraded connections, which HTTP/2 does not have.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	server := &http.Server{Handler: routes, Protocols: protocols, ReadHeaderTimeout: readHeaderTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, settings.tlsCert, settings.tlsKey); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (k *kubelet) serveExec(answer http.ResponseWriter, request *http.Request) {
	options, err := remotecommand.NewOptions(request)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(answer, request, k,
		request.PathValue("namespace")+"/"+request.PathValue("pod"), types.UID(request.PathValue("uid")), request.PathValue("container"),
		request.URL.Query()["command"], options, streamIdleTimeout, streamCreationTimeout, remotecommandconsts.SupportedStreamingProtocols)
}
