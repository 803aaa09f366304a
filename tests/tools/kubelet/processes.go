package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// killTimeout bounds what may hang in the kernel: a process that writes to a frozen file system does not die.
	killTimeout  = 10 * time.Second
	killInterval = 5 * time.Millisecond
)

// killAll ends every process of the container, however it was started and whatever session it is in: a container's
// end spares nobody. There is no cgroup; its root file system gives a process away.
func (c *container) killAll() error {
	deadline := time.Now().Add(killTimeout)
	for {
		running, err := c.processes()
		if err != nil || len(running) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of container %s do not end", running, c.spec.Name)
		}
		for _, pid := range running {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cannot kill process %d: %w", pid, err)
			}
		}
		time.Sleep(killInterval)
	}
}

// processes lists who has the container's root; those that have ended and were not waited for have none.
func (c *container) processes() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		root, err := os.Readlink("/proc/" + entry.Name() + "/root")
		if err != nil {
			continue
		}
		if root == c.root || strings.HasPrefix(root, c.root+"/") {
			found = append(found, pid)
		}
	}
	return found, nil
}
