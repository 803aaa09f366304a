package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// bind shows source at target inside root, with all that is mounted below source. What is missing of target is made;
// symbolic links in it may not lead out of root.
func bind(source, root, target string, readOnly bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := makeTarget(root, target, info.IsDir()); err != nil {
		return fmt.Errorf("cannot make the mount point %s: %w", target, err)
	}
	full := filepath.Join(root, target)
	if err := unix.Mount(source, full, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot mount %s at %s: %w", source, target, err)
	}
	attributes := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if readOnly {
		attributes.Attr_set = unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, full, unix.AT_RECURSIVE, &attributes); err != nil {
		return fmt.Errorf("cannot set the mount attributes of %s: %w", target, err)
	}
	return nil
}

func makeTarget(root, target string, directory bool) error {
	inside, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer inside.Close()
	name := strings.TrimPrefix(filepath.Clean(target), "/")
	if name == "" || name == "." {
		return fmt.Errorf("cannot mount over the root file system")
	}
	if directory {
		return inside.MkdirAll(name, 0o755)
	}
	if err := inside.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	made, err := inside.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return made.Close()
}

// unmountAll takes away every mount below the folder. Processes that still use one keep it until they end.
func unmountAll(folder string) error {
	points, err := mountsBelow(folder)
	if err != nil {
		return err
	}
	for _, point := range outermost(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("cannot unmount %s: %w", point, err)
		}
	}
	return nil
}

// outermost leaves out what lies below another mount: it goes with that one, and in a user namespace it goes with nothing
// else, since what was bound together is locked together.
func outermost(points []string) []string {
	var outer []string
	for _, point := range points {
		below := slices.ContainsFunc(points, func(other string) bool { return strings.HasPrefix(point, other+"/") })
		if !below {
			outer = append(outer, point)
		}
	}
	return outer
}

// removeTree removes a folder that nothing is mounted below. It refuses otherwise: it would remove what is mounted.
func removeTree(folder string) error {
	points, err := mountsBelow(folder)
	if err != nil {
		return err
	}
	if len(points) > 0 {
		return fmt.Errorf("not removing %s: %s is still mounted", folder, points[0])
	}
	return os.RemoveAll(folder)
}

// mountsBelow lists mount points in the order in which they were mounted.
func mountsBelow(folder string) ([]string, error) {
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer table.Close()
	var points []string
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return nil, fmt.Errorf("/proc/self/mountinfo has the line %q", lines.Text())
		}
		if point := unescape(fields[4]); strings.HasPrefix(point, folder+"/") {
			points = append(points, point)
		}
	}
	return points, lines.Err()
}

// unescape undoes what the kernel does to blanks in mount points.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
