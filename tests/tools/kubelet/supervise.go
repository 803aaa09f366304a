package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A kubelet's: the first restart is at once, later ones wait, twice as long each time; ten minutes of peace forgive.
const (
	restartDelayFirst = 10 * time.Second
	restartDelayLast  = 5 * time.Minute
	restartForgiven   = 10 * time.Minute
)

// startErrorCode is what kubelets report of a container whose command could not be started.
const startErrorCode = 128

// podRun is the running of a pod's containers. Its zero value has nothing that runs.
type podRun struct {
	stopContext context.CancelFunc
	containers  sync.WaitGroup
	// graceNs is how long containers have between SIGTERM and SIGKILL.
	graceNs atomic.Int64
	stopped chan struct{}
}

// stop begins to end the containers, once, and calls done when all have ended; true when they have.
func (r *podRun) stop(grace time.Duration, done func()) bool {
	if r.stopContext == nil {
		return true
	}
	if r.stopped == nil {
		stopped := make(chan struct{})
		r.stopped = stopped
		r.graceNs.Store(int64(grace))
		r.stopContext()
		go func() {
			r.containers.Wait()
			close(stopped)
			done()
		}()
	}
	select {
	case <-r.stopped:
		return true
	default:
		return false
	}
}

// cancel ends the containers without grace.
func (r *podRun) cancel() {
	if r.stopContext != nil {
		r.stopContext()
	}
}

func (r *podRun) wait() { r.containers.Wait() }

// begin starts the containers. Their commands outlive this program; the next run of it starts them anew.
func (k *kubelet) begin(key string, started *startedPod) {
	if !k.settings.runContainers {
		for _, container := range started.ordered {
			container.become(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
		}
		return
	}
	for _, container := range started.ordered {
		container.become(waitingFor("PodInitializing"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	started.run.stopContext = cancel
	changed := func() { k.queue.Add(key) }
	started.run.containers.Go(func() {
		for _, container := range started.ordered {
			if !container.initial {
				started.run.containers.Go(func() { k.supervise(ctx, started, container, changed) })
			} else if !k.supervise(ctx, started, container, changed) {
				return
			}
		}
	})
}

// supervise runs the container until its pod's policy has no more use for it; true when it ended well.
func (k *kubelet) supervise(ctx context.Context, started *startedPod, c *container, changed func()) bool {
	policy := c.pod.Spec.RestartPolicy
	if c.initial && policy == corev1.RestartPolicyAlways {
		policy = corev1.RestartPolicyOnFailure
	}
	delay := time.Duration(0)
	for {
		began := time.Now()
		code := k.runOnce(ctx, c, &started.run, changed)
		if ctx.Err() != nil || !startsAnew(policy, code) {
			changed()
			return code == 0
		}
		if time.Since(began) > restartForgiven {
			delay = 0
		}
		c.become(waitingFor("CrashLoopBackOff"))
		changed()
		select {
		case <-ctx.Done():
			return false
		case <-time.After(delay):
		}
		delay = min(max(2*delay, restartDelayFirst), restartDelayLast)
		if err := k.makeAnew(ctx, started, c); err != nil {
			log.Printf("pod %s/%s: cannot start container %s again: %v", c.pod.Namespace, c.pod.Name, c.spec.Name, err)
		}
	}
}

// makeAnew gives the container a fresh root file system; its volumes stay.
func (k *kubelet) makeAnew(ctx context.Context, started *startedPod, c *container) error {
	started.lock.Lock()
	defer started.lock.Unlock()
	if err := unmountAll(c.root); err != nil {
		return err
	}
	if err := removeTree(c.root); err != nil {
		return err
	}
	return k.makeContainer(ctx, c, started.volumes)
}

// runOnce runs the container's command to its end, and ends all that was started in the container with it. A container
// without a command (and whose image's is not known) runs until its pod ends, with nothing in it but what is exec'd.
func (k *kubelet) runOnce(ctx context.Context, c *container, run *podRun, changed func()) int32 {
	began := metav1.Now()
	code, err := int32(0), error(nil)
	if argv := commandOf(c); len(argv) > 0 {
		code, err = k.runCommand(ctx, c, argv, run, changed)
	} else {
		c.become(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}})
		changed()
		<-ctx.Done()
	}
	ended := &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Completed", StartedAt: began, FinishedAt: metav1.Now()}
	if code != 0 {
		ended.Reason = "Error"
	}
	if err != nil {
		ended.Reason, ended.Message = "StartError", err.Error()
	}
	c.become(corev1.ContainerState{Terminated: ended})
	if err := c.killAll(); err != nil {
		log.Printf("pod %s/%s: %v", c.pod.Namespace, c.pod.Name, err)
	}
	return code
}

func (k *kubelet) runCommand(ctx context.Context, c *container, argv []string, run *podRun, changed func()) (int32, error) {
	line := execLine{Namespace: c.pod.Namespace, Pod: c.pod.Name, UID: string(c.pod.UID), Container: c.spec.Name, Command: argv}
	// The command writes to the file itself, so that it does not depend on this program.
	output, err := os.OpenFile(c.root+".log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return startErrorCode, err
	}
	defer output.Close()
	// An earlier run of this program may have left some.
	if err := c.killAll(); err != nil {
		return startErrorCode, err
	}
	command, err := c.startWithInput(argv, nil, output, output)
	if err != nil {
		line.What, line.Error = containerEnd, err.Error()
		k.record.add(line)
		fmt.Fprintln(output, err)
		return startErrorCode, err
	}
	line.What, line.PID = containerStart, command.Process.Pid
	k.record.add(line)
	c.become(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	changed()
	ended, over := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, func() { c.terminate(ended, command.Process, time.Duration(run.graceNs.Load())) })
	code, err := exitCode(command)
	over()
	stop()
	line.What, line.ExitCode = containerEnd, &code
	k.record.add(line)
	return int32(code), err
}

// terminate asks the command to end, and ends it when its grace is over.
func (c *container) terminate(ended context.Context, process *os.Process, grace time.Duration) {
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		log.Printf("pod %s/%s: cannot signal container %s: %v", c.pod.Namespace, c.pod.Name, c.spec.Name, err)
	}
	select {
	case <-ended.Done():
	case <-time.After(grace):
		if err := c.killAll(); err != nil {
			log.Printf("pod %s/%s: %v", c.pod.Namespace, c.pod.Name, err)
		}
	}
}

// commandOf is the container's command, or its image's, with its arguments, variables expanded.
func commandOf(c *container) []string {
	command := c.spec.Command
	if len(command) == 0 && c.entrypoint != "" {
		command = []string{c.entrypoint}
	}
	if len(command) == 0 {
		return nil
	}
	values := environmentValues(c.environment)
	var argv []string
	for _, word := range append(append([]string{}, command...), c.spec.Args...) {
		argv = append(argv, expand(word, values))
	}
	return argv
}

// startsAnew tells whether a container that ended with the code is started again.
func startsAnew(policy corev1.RestartPolicy, code int32) bool {
	return policy == corev1.RestartPolicyAlways || policy == corev1.RestartPolicyOnFailure && code != 0
}

func waitingFor(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}
