package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// dataLink points to the folder of the present contents; switching it changes all files at once. The names are those of
// kubelets, since programs watch for them.
const dataLink = "..data"

// writeAtOnce makes the folder hold exactly these files, as a kubelet does: readers see all of the old contents or all of
// the new. Nothing is touched when nothing changed.
func writeAtOnce(folder string, files map[string]file) error {
	if err := makeFolder(folder, 0o777|os.ModeSticky); err != nil {
		return err
	}
	link := filepath.Join(folder, dataLink)
	before, err := os.Readlink(link)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if err == nil && sameFiles(filepath.Join(folder, before), files) {
		return nil
	}
	fresh, err := os.MkdirTemp(folder, time.Now().UTC().Format("..2006_01_02_15_04_05.*"))
	if err != nil {
		return err
	}
	if err := writeFiles(fresh, files); err != nil {
		return err
	}
	if err := replaceLink(filepath.Base(fresh), link); err != nil {
		return err
	}
	if err := linkTopNames(folder, files); err != nil {
		return err
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(folder, before))
}

func writeFiles(folder string, files map[string]file) error {
	// MkdirTemp made it private.
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	for path, file := range files {
		full := filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, file.data, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(full, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// linkTopNames makes `name` point to `..data/name`, and removes links to what is no longer there.
func linkTopNames(folder string, files map[string]file) error {
	wanted := map[string]bool{}
	for path := range files {
		top, _, _ := strings.Cut(path, string(filepath.Separator))
		wanted[top] = true
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, "..") || wanted[name] {
			continue
		}
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	for name := range wanted {
		if err := replaceLink(filepath.Join(dataLink, name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// replaceLink makes path a symbolic link to target in one step.
func replaceLink(target, path string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	beside := filepath.Join(filepath.Dir(path), "..link_"+filepath.Base(path))
	if err := os.Symlink(target, beside); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// sameFiles tells whether the folder holds these files, with these modes, and no others.
func sameFiles(folder string, files map[string]file) bool {
	seen := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		wanted, known := files[name]
		if !known || info.Mode().Perm() != wanted.mode.Perm() || !bytes.Equal(data, wanted.data) {
			return fmt.Errorf("%s differs", name)
		}
		seen++
		return nil
	})
	return err == nil && seen == len(files)
}
