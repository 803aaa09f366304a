package main

import (
	"os"
	"path/filepath"
	"testing"
)

func texts(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name()[0] == '.' {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = string(text)
	}
	return found
}

func TestFilesAreReplacedTogether(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "volume")
	write := func(files map[string]file) string {
		t.Helper()
		if err := writeAtOnce(folder, files); err != nil {
			t.Fatal(err)
		}
		link, err := os.Readlink(filepath.Join(folder, dataLink))
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	first := write(map[string]file{"a": {[]byte("1"), 0o400}, "b": {[]byte("2"), 0o644}})
	if got := texts(t, folder); len(got) != 2 || got["a"] != "1" || got["b"] != "2" {
		t.Errorf("at first: %v", got)
	}
	if again := write(map[string]file{"b": {[]byte("2"), 0o644}, "a": {[]byte("1"), 0o400}}); again != first {
		t.Errorf("nothing changed, but %s became %s", first, again)
	}
	second := write(map[string]file{"b": {[]byte("3"), 0o644}, "c": {[]byte(""), 0o600}})
	if got := texts(t, folder); second == first || len(got) != 2 || got["b"] != "3" || got["c"] != "" {
		t.Errorf("after a change: %v", got)
	}
	if _, err := os.Stat(filepath.Join(folder, first)); !os.IsNotExist(err) {
		t.Errorf("the old contents are still there: %v", err)
	}
	if info, err := os.Stat(filepath.Join(folder, "c")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of c: %v, %v", info, err)
	}
}

func TestFilesInFolders(t *testing.T) {
	folder := t.TempDir()
	if err := writeAtOnce(folder, map[string]file{"sub/deep/x": {[]byte("1"), 0o644}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "sub/deep/x")); err != nil || string(text) != "1" {
		t.Errorf("got %q, %v", text, err)
	}
}
