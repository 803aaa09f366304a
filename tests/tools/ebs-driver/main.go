// Command ebs-driver-stand-in is the part of the EBS CSI driver's controller that takes snapshots, for tests: the same
// calls to EC2 with the AWS SDK, the same retrying, error texts, tags and counters as were seen of the real driver
// (v1.64.0). Volumes it refuses.
//
// Which EC2 it talks to is AWS_EC2_ENDPOINT's to say, on a loopback address; credentials and AWS_REGION are the SDK's.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

const readHeaderTimeout = 10 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ebs-driver-stand-in:", err)
		os.Exit(1)
	}
}

func run() error {
	endpoint := flag.String("endpoint", "", "unix:///PATH of the CSI socket")
	httpEndpoint := flag.String("http-endpoint", "", "loopback address of /metrics; empty: none")
	clusterID := flag.String("k8s-tag-cluster-id", "", "tags snapshots as this cluster's")
	batching := flag.Bool("batching", true, "look snapshots up by name together, after half a second, as the Helm chart has it")
	flag.Parse()
	path, found := strings.CutPrefix(*endpoint, "unix://")
	if !found || path == "" {
		return fmt.Errorf("--endpoint %q: wants unix:///PATH", *endpoint)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	counters := newCounters()
	client, err := connect(ctx, os.Getenv("AWS_EC2_ENDPOINT"), counters)
	if err != nil {
		return err
	}
	driver := &driver{
		ec2: client, clusterID: *clusterID, createRetryer: patient(), deleteRetryer: patient(),
		lookup: newLookup(client, *batching), names: map[string]bool{},
	}
	if *httpEndpoint != "" {
		if err := serveMetrics(*httpEndpoint, counters); err != nil {
			return err
		}
	}
	return serveCSI(ctx, path, driver)
}

func serveMetrics(address string, counters *counters) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--http-endpoint: %w", err)
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		listener.Close()
		return fmt.Errorf("--http-endpoint %s: must be a loopback address", address)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", counters.handler())
	server := &http.Server{Handler: routes, ReadHeaderTimeout: readHeaderTimeout}
	go func() { log.Fatal(server.Serve(listener)) }()
	return nil
}

// serveCSI answers the snapshotter until ctx ends.
func serveCSI(ctx context.Context, path string, driver *driver) error {
	// A socket of an earlier run; whoever still listens there loses it.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logCalls))
	csi.RegisterIdentityServer(server, driver)
	csi.RegisterControllerServer(server, driver)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	return server.Serve(listener)
}

func logCalls(ctx context.Context, request any, call *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	began := time.Now()
	answer, err := handler(ctx, request)
	if err != nil {
		log.Printf("%s %v after %.3f s: %v", call.FullMethod, request, time.Since(began).Seconds(), err)
	}
	return answer, err
}
