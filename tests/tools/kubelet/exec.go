package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// signalCodeBase: shells and container runtimes report a process that a signal ended as this and the signal's number.
const signalCodeBase = 128

// ExecInContainer runs a command for the streaming library; name is namespace/pod. It returns when the process has ended
// and nobody holds its stdout and stderr, as containerd does; the client's going away ends nothing.
func (k *kubelet) ExecInContainer(
	_ context.Context, name string, uid types.UID, containerName string, argv []string,
	in io.Reader, out, errOut io.WriteCloser, tty bool, _ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	namespace, podName, _ := strings.Cut(name, "/")
	line := execLine{Namespace: namespace, Pod: podName, UID: string(uid), Container: containerName, Command: argv}
	container, err := k.containerFor(name, uid, containerName)
	if err == nil && len(argv) == 0 {
		err = errors.New("no command was given")
	}
	if err == nil && tty {
		err = unsupported("a terminal")
	}
	if err != nil {
		line.What, line.Error = execRefused, err.Error()
		k.record.add(line)
		return err
	}
	line.UID = string(container.pod.UID)
	return container.exec(line, in, out, errOut, k.record)
}

// containerFor finds a running container, with the words of a kubelet when there is none.
func (k *kubelet) containerFor(name string, uid types.UID, containerName string) (*container, error) {
	started := k.find(name)
	if started == nil || (uid != "" && uid != started.pod.UID) {
		return nil, fmt.Errorf("pod %s does not run here", name)
	}
	container, found := started.containers[containerName]
	if !found || !container.running() {
		return nil, fmt.Errorf("container not found (%q)", containerName)
	}
	return container, nil
}

// exec runs the command of the line to its end.
func (c *container) exec(line execLine, in io.Reader, out, errOut io.Writer, record *execLog) error {
	stdout, err := newOutputStream(out)
	if err != nil {
		return err
	}
	stderr, err := newOutputStream(errOut)
	if err != nil {
		stdout.letGo()
		return err
	}
	command, err := c.startWithInput(line.Command, in, stdout.end, stderr.end)
	if seemsRun := (notExecutedError{}); errors.As(err, &seemsRun) {
		// Best effort, like runc's own.
		fmt.Fprintln(stderr.end, seemsRun.Error())
	}
	if err == nil {
		line.What, line.PID = execStart, command.Process.Pid
		record.add(line)
	}
	stdout.letGo()
	stderr.letGo()
	if err != nil {
		stdout.released()
		stderr.released()
		return c.refused(line, err, record)
	}
	code, waitError := exitCode(command)
	line.What, line.ExitCode = execEnd, &code
	if waitError != nil {
		line.Error = waitError.Error()
	}
	line.StdoutTail, line.StderrTail = stdout.lastText(), stderr.lastText()
	record.add(line)
	stdout.released()
	stderr.released()
	line.What = execReleased
	line.StdoutTail, line.StderrTail = stdout.lastText(), stderr.lastText()
	record.add(line)
	if waitError != nil {
		return waitError
	}
	return codeError(line.Command, code)
}

// refused records a command that did not run and makes the client's answer of it.
func (c *container) refused(line execLine, err error, record *execLog) error {
	line.What, line.Error = execRefused, err.Error()
	if errors.As(err, &notExecutedError{}) {
		code := notExecutedCode
		line.ExitCode, line.StderrTail = &code, err.Error()
		record.add(line)
		return codeError(line.Command, code)
	}
	record.add(line)
	return err
}

// startWithInput starts the command with the client's input, or with none: reading then finds the end at once.
func (c *container) startWithInput(argv []string, in io.Reader, stdout, stderr *os.File) (*exec.Cmd, error) {
	if in == nil {
		nothing, err := os.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		defer nothing.Close()
		return c.start(argv, nothing, stdout, stderr)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	command, err := c.start(argv, reader, stdout, stderr)
	if err != nil {
		writer.Close()
		return nil, err
	}
	go func() {
		defer writer.Close()
		// Either side may end first; neither is an error of the command.
		_, _ = io.Copy(writer, in)
	}()
	return command, nil
}

// exitCode waits for the process alone, not for its output.
func exitCode(command *exec.Cmd) (int, error) {
	err := command.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return -1, err
	}
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return signalCodeBase + int(status.Signal()), nil
	}
	return command.ProcessState.ExitCode(), nil
}

// codeError is what the streaming library turns into a status with an exit code; nil for success.
func codeError(argv []string, code int) error {
	if code == 0 {
		return nil
	}
	return utilexec.CodeExitError{Err: fmt.Errorf("command %q exited with %d", strings.Join(argv, " "), code), Code: code}
}
