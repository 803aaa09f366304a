package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// hostFolders are what --host-tools shows, where the host has them.
var hostFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"}

// makeRootFS makes the container's root file system: what its image holds, what every runtime provides, the host's tools
// if wanted, and the volumes.
func (k *kubelet) makeRootFS(pod *corev1.Pod, container *corev1.Container, root string, volumes map[string]volume) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	image, found := k.settings.images[container.Image]
	if !found {
		image = k.settings.imageRoot
	}
	if image != "" {
		if err := linkTree(image, root); err != nil {
			return fmt.Errorf("cannot unpack the image from %s: %w", image, err)
		}
	}
	if err := addRuntimeFiles(root, pod); err != nil {
		return err
	}
	if k.settings.hostTools {
		if err := addHostTools(root); err != nil {
			return fmt.Errorf("host tools: %w", err)
		}
	}
	for _, mount := range container.VolumeMounts {
		if err := mountVolume(root, mount, volumes); err != nil {
			return fmt.Errorf("mount of volume %q at %s: %w", mount.Name, mount.MountPath, err)
		}
	}
	if container.WorkingDir == "" {
		return nil
	}
	return makeTarget(root, container.WorkingDir, true)
}

func mountVolume(root string, mount corev1.VolumeMount, volumes map[string]volume) error {
	from, found := volumes[mount.Name]
	switch {
	case !found:
		return errors.New("there is no such volume")
	case mount.SubPathExpr != "":
		return unsupported("subPathExpr")
	case mount.MountPropagation != nil && *mount.MountPropagation != corev1.MountPropagationNone:
		return unsupported("mountPropagation %s", *mount.MountPropagation)
	}
	source := from.path
	if mount.SubPath != "" {
		if !filepath.IsLocal(mount.SubPath) {
			return fmt.Errorf("subPath %q leads out of the volume", mount.SubPath)
		}
		source = filepath.Join(source, mount.SubPath)
		if !from.readOnly {
			if err := os.MkdirAll(source, 0o755); err != nil && !errors.Is(err, syscall.ENOTDIR) {
				return err
			}
		}
	}
	return bind(source, root, mount.MountPath, from.readOnly || mount.ReadOnly)
}

// addRuntimeFiles adds what a process finds in any container, one from scratch included.
func addRuntimeFiles(root string, pod *corev1.Pod) error {
	for _, path := range []string{"/proc", "/dev"} {
		if err := bind(path, root, path, false); err != nil {
			return err
		}
	}
	if err := bind("/sys", root, "/sys", true); err != nil {
		return err
	}
	inside, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := inside.MkdirAll("etc", 0o755); err != nil {
		return err
	}
	for path, text := range map[string]string{
		"etc/hostname": pod.Name + "\n",
		"etc/hosts":    "127.0.0.1\tlocalhost\n" + podAddress + "\t" + pod.Name + "\n",
	} {
		// Not through a hard link: that would write into the image.
		if err := inside.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := inside.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addHostTools shows the host's programs and libraries, with its links between them. kubectl is shown in
// /usr/local/bin when it is installed elsewhere than in the folders shown; it hides what else the host has there.
func addHostTools(root string) error {
	for _, path := range hostFolders {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			err = bind(path, root, path, true)
		} else {
			err = copyLink(path, filepath.Join(root, path))
		}
		if err != nil {
			return err
		}
	}
	if err := makeTarget(root, "/tmp", true); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), emptyDirMode); err != nil {
		return err
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		// Only scripts that call it need it, and they will say so.
		return nil
	}
	if kubectl, err = canonical(kubectl); err != nil {
		return err
	}
	if strings.HasPrefix(kubectl, "/usr/") && filepath.Base(kubectl) == "kubectl" {
		return nil
	}
	tools := root + ".tools"
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	if err := linkOrCopy(kubectl, filepath.Join(tools, "kubectl"), 0o755); err != nil {
		return err
	}
	return bind(tools, root, "/usr/local/bin", true)
}

// linkTree fills the folder with the files of another one, as hard links where the file system allows; what is there
// already stays.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			return copyLink(path, target)
		case info.Mode().IsRegular():
			return linkOrCopy(path, target, info.Mode().Perm())
		}
		return fmt.Errorf("%s is neither a file, a folder nor a symbolic link", path)
	})
}

func copyLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, to); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func linkOrCopy(from, to string, mode os.FileMode) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	// Another file system, or a file that is not ours.
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}
