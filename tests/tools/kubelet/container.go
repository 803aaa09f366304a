package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// container is where processes of a container run; made once, when the pod starts.
type container struct {
	pod  *corev1.Pod
	spec *corev1.Container
	// root is the root file system as a folder of this machine; processes are recognised by it.
	root        string
	environment []string
	// credential is nil for root.
	credential *syscall.Credential
	// entrypoint is what the image runs; empty where that is not known.
	entrypoint string
	// initial containers run to their end, one by one, before the others begin.
	initial bool

	lock sync.Mutex
	// state is what the pod's status says of it; last is how it ended before it was started anew.
	state, last corev1.ContainerState
	restarts    int32
}

// become changes what the pod's status says of the container.
func (c *container) become(state corev1.ContainerState) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.state.Terminated != nil {
		c.last = c.state
	}
	if state.Running != nil && (c.last.Terminated != nil) {
		c.restarts++
	}
	c.state = state
}

func (c *container) running() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.state.Running != nil
}

// status is ready as long as the container runs: probes are not run.
func (c *container) status() corev1.ContainerStatus {
	c.lock.Lock()
	defer c.lock.Unlock()
	running := c.state.Running != nil
	ready := running
	if c.initial {
		ready = c.state.Terminated != nil && c.state.Terminated.ExitCode == 0
	}
	return corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ContainerID: "stand-in://" + string(c.pod.UID) + "/" + c.spec.Name,
		State: c.state, LastTerminationState: c.last, RestartCount: c.restarts, Ready: ready, Started: &running,
	}
}

// notStartedError is a command that a container runtime would not start; the text is runc's, as containerd hands it on.
type notStartedError struct{ why string }

func (e notStartedError) Error() string {
	return "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: " + e.why + ": unknown"
}

// notExecutedError is a command that runc finds only at the very end that it cannot run: the kernel refuses to execute it
// after runc has told its caller that all is well. Then a process seems to have run, printed this and ended with
// notExecutedCode (runc v1.3.3, setns_init_linux.go and init_linux.go).
type notExecutedError struct{ path, why string }

const notExecutedCode = 255

func (e notExecutedError) Error() string { return "exec " + e.path + ": " + e.why }

// start runs a command in the container, in a session of its own. It does not end with any client or with this program.
func (c *container) start(argv []string, stdin, stdout, stderr *os.File) (*exec.Cmd, error) {
	var last error
	for _, path := range c.candidates(argv[0]) {
		command := &exec.Cmd{
			Path: path, Args: argv, Env: c.environment, Dir: workingDirectory(c.spec),
			Stdin: stdin, Stdout: stdout, Stderr: stderr,
			SysProcAttr: &syscall.SysProcAttr{Chroot: c.root, Setsid: true, Credential: c.credential},
		}
		err := command.Start()
		if err == nil {
			return command, nil
		}
		last = err
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			break
		}
	}
	return nil, c.whyNot(argv[0], last)
}

// candidates are the paths that a shell would try, inside the root file system.
func (c *container) candidates(name string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	path := defaultPath
	for _, variable := range c.environment {
		if value, found := strings.CutPrefix(variable, "PATH="); found {
			path = value
		}
	}
	var candidates []string
	for _, folder := range filepath.SplitList(path) {
		candidates = append(candidates, filepath.Join("/", folder, name))
	}
	return candidates
}

// whyNot puts a failed start into runc's words.
func (c *container) whyNot(name string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return notExecutedError{name, "exec format error"}
	case errors.Is(err, fs.ErrPermission):
		return notStartedError{fmt.Sprintf("exec: %q: permission denied", name)}
	case err == nil || errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, "/"):
		return notStartedError{fmt.Sprintf("exec: %q: executable file not found in $PATH", name)}
	case errors.Is(err, fs.ErrNotExist) && c.holds(name):
		// The file is there: its interpreter or loader is not.
		return notExecutedError{name, "no such file or directory"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return notStartedError{fmt.Sprintf("exec: %q: stat %s: no such file or directory", name, name)}
	}
	return notStartedError{err.Error()}
}

func (c *container) holds(path string) bool {
	inside, err := os.OpenRoot(c.root)
	if err != nil {
		return false
	}
	defer inside.Close()
	_, err = inside.Stat(strings.TrimPrefix(filepath.Clean(path), "/"))
	return err == nil
}

func workingDirectory(spec *corev1.Container) string {
	if spec.WorkingDir == "" {
		return "/"
	}
	return spec.WorkingDir
}

// credentialOf is who processes of the container are. Capabilities are not looked at: root has all that this program has.
func credentialOf(pod *corev1.Pod, spec *corev1.Container) (*syscall.Credential, error) {
	var user, group, fsGroup *int64
	if context := pod.Spec.SecurityContext; context != nil {
		user, group, fsGroup = context.RunAsUser, context.RunAsGroup, context.FSGroup
	}
	if context := spec.SecurityContext; context != nil {
		if context.RunAsUser != nil {
			user = context.RunAsUser
		}
		if context.RunAsGroup != nil {
			group = context.RunAsGroup
		}
	}
	if ptr.Deref(user, 0) == 0 && ptr.Deref(group, 0) == 0 {
		return nil, nil
	}
	credential := &syscall.Credential{Uid: uint32(ptr.Deref(user, 0)), Gid: uint32(ptr.Deref(group, 0))}
	if fsGroup != nil {
		credential.Groups = []uint32{uint32(*fsGroup)}
	}
	for file, id := range map[string]uint32{"/proc/self/uid_map": credential.Uid, "/proc/self/gid_map": credential.Gid} {
		mapped, err := isMapped(file, id)
		if err != nil {
			return nil, err
		} else if !mapped {
			return nil, unsupported("runAsUser or runAsGroup %d, which this user namespace does not have", id)
		}
	}
	return credential, nil
}

// isMapped looks an id up in a table of lines `first-inside first-outside count`.
func isMapped(file string, id uint32) (bool, error) {
	table, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(table)) {
		var inside, outside, count uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		if uint64(id) >= inside && uint64(id)-inside < count {
			return true, nil
		}
	}
	return false, nil
}
