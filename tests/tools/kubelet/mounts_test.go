package main

import (
	"slices"
	"testing"
)

func TestOutermostMounts(t *testing.T) {
	points := []string{"/r/main/dev", "/r/main/dev/pts", "/r/main/usr", "/r/main/usr/local/bin", "/r/main/data", "/r/main/data", "/r/main/data2"}
	expected := []string{"/r/main/dev", "/r/main/usr", "/r/main/data", "/r/main/data", "/r/main/data2"}
	if got := outermost(points); !slices.Equal(got, expected) {
		t.Errorf("got %q", got)
	}
}

func TestMountPointsWithBlanks(t *testing.T) {
	if got := unescape(`/a\040b\134c`); got != `/a b\c` {
		t.Errorf("got %q", got)
	}
}
