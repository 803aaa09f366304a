package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// outerNamespace names the mount namespace that this process came from, from its first life to its second.
const outerNamespace = "KUBELET_STAND_IN_OUTER_NAMESPACE"

// enterOwnMountNamespace starts this program anew, as the same process, in a mount namespace of its own.
//
// Pods' root file systems are full of bind mounts, the host's folders among them. Nobody else may see those: a test that
// removes its temporary folder would otherwise remove the host's files through them. They vanish with the last process
// that lives in the namespace. What is mounted outside later still shows inside, if it is mounted under a shared mount.
func enterOwnMountNamespace() error {
	current, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return fmt.Errorf("cannot tell the mount namespace: %w", err)
	}
	if outer, again := os.LookupEnv(outerNamespace); again {
		if outer == current {
			return errors.New("still in the mount namespace of before; is " + outerNamespace + " set by hand?")
		}
		if err := os.Unsetenv(outerNamespace); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("cannot keep mounts from spreading: %w", err)
		}
		return nil
	}
	// unshare concerns the calling thread alone; execve makes that thread the whole process.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("cannot make a mount namespace: %w; run as root or under `unshare --map-root-user --mount`", err)
	}
	err = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), outerNamespace+"="+current))
	return fmt.Errorf("cannot start anew in the mount namespace: %w", err)
}
