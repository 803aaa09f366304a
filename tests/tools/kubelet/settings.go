package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// settings is the command line, checked.
type settings struct {
	kubeconfig string
	// listenHost is an IP address of the loopback interface: nobody is asked who they are.
	listenHost string
	listenPort int
	tlsCert    string
	tlsKey     string
	node       string
	// root is absolute and free of symbolic links, because processes are recognised by it.
	root string
	// imageRoot is what every container's root file system starts with; empty: nothing.
	imageRoot string
	// images holds what containers of one image start with, instead of imageRoot.
	images map[string]string
	// entrypoints holds the programs that images run by themselves; of an image that is not here none is known.
	entrypoints map[string]string
	log         string
	// apiServerHost and apiServerPort become KUBERNETES_SERVICE_HOST and _PORT.
	apiServerHost string
	apiServerPort string
	hostTools     bool
	schedule      bool
	runContainers bool
}

// imageFlags collects repeated flags that say something of an image: NAME=PATH.
type imageFlags map[string]string

func (images imageFlags) String() string { return fmt.Sprint(map[string]string(images)) }

func (images imageFlags) Set(value string) error {
	name, path, found := strings.Cut(value, "=")
	if !found || name == "" || path == "" {
		return errors.New("wants NAME=PATH")
	}
	images[name] = path
	return nil
}

func parseSettings(arguments []string) (settings, error) {
	s := settings{images: map[string]string{}, entrypoints: map[string]string{}}
	flags := flag.NewFlagSet("kubelet-stand-in", flag.ContinueOnError)
	listenAddress := flags.String("listen", "127.0.0.1:10250", "loopback address of the exec endpoint")
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "who to be at the API server (wanted: an administrator)")
	flags.StringVar(&s.tlsCert, "tls-cert-file", "", "certificate of the exec endpoint")
	flags.StringVar(&s.tlsKey, "tls-private-key-file", "", "its key")
	flags.StringVar(&s.node, "node", "", "name of the Node to register")
	flags.StringVar(&s.root, "root", "", "folder for pods (ROOT/NAMESPACE/POD-UID/CONTAINER) and persistent volumes (ROOT/.volumes/PV)")
	flags.StringVar(&s.imageRoot, "image-root", "", "what each container's root file system starts with, e.g. hooks/hook-agent")
	flags.Var(imageFlags(s.images), "image", "NAME=DIR: what containers of this image start with instead; may be repeated")
	flags.Var(imageFlags(s.entrypoints), "entrypoint", "NAME=PATH: the program that containers of this image run unless they name another; may be repeated")
	flags.StringVar(&s.log, "log", "", "file to which a JSON line is appended for each exec's start, end, release and refusal")
	flags.StringVar(&s.apiServerHost, "api-server-host", "", "KUBERNETES_SERVICE_HOST in containers (default: none)")
	flags.StringVar(&s.apiServerPort, "api-server-port", "", "KUBERNETES_SERVICE_PORT in containers")
	flags.BoolVar(&s.hostTools, "host-tools", false, "show the host's /usr, /bin, /sbin, /lib* and kubectl in containers, read-only")
	flags.BoolVar(&s.runContainers, "run-containers", false, "run the containers' commands, init containers first (default: containers are taken to run)")
	flags.BoolVar(&s.schedule, "schedule", false, "bind pods that have no node to this one")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for name, value := range map[string]string{
		"kubeconfig": s.kubeconfig, "tls-cert-file": s.tlsCert, "tls-private-key-file": s.tlsKey,
		"node": s.node, "root": s.root, "log": s.log,
	} {
		if value == "" {
			return s, fmt.Errorf("--%s is missing", name)
		}
	}
	if (s.apiServerHost == "") != (s.apiServerPort == "") {
		return s, errors.New("--api-server-host and --api-server-port belong together")
	}
	if err := s.setListen(*listenAddress); err != nil {
		return s, err
	}
	return s, s.resolveFolders()
}

func (s *settings) setListen(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen %s: must be a loopback address, since anybody who reaches it may run anything", address)
	}
	s.listenHost = host
	s.listenPort, err = strconv.Atoi(port)
	if err != nil || s.listenPort < 1 || s.listenPort > 65535 {
		return fmt.Errorf("--listen %s: needs a port between 1 and 65535; the API server must be able to learn it", address)
	}
	return nil
}

func (s *settings) resolveFolders() error {
	if err := os.MkdirAll(s.root, 0o755); err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	var err error
	if s.root, err = canonical(s.root); err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	if s.imageRoot != "" {
		if s.imageRoot, err = canonical(s.imageRoot); err != nil {
			return fmt.Errorf("--image-root: %w", err)
		}
	}
	for name, folder := range s.images {
		if s.images[name], err = canonical(folder); err != nil {
			return fmt.Errorf("--image %s: %w", name, err)
		}
	}
	return nil
}

// canonical is the absolute path without symbolic links; the path must exist.
func canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
