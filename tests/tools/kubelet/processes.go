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
// end spares nobody.
func (c *container) killAll() error { return killUnder(c.root) }

// killUnder ends every process whose root file system is this folder or below it. There are no cgroups; the root file
// system gives a process away, also one that an earlier run of this program has started.
func killUnder(folder string) error {
	deadline := time.Now().Add(killTimeout)
	for {
		running, err := processesUnder(folder)
		if err != nil || len(running) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in %s do not end", running, folder)
		}
		for _, pid := range running {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("cannot kill process %d: %w", pid, err)
			}
		}
		time.Sleep(killInterval)
	}
}

// processesUnder lists them; those that have ended and were not waited for have no root any more.
func processesUnder(folder string) ([]int, error) {
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
		if root == folder || strings.HasPrefix(root, folder+"/") {
			found = append(found, pid)
		}
	}
	return found, nil
}
