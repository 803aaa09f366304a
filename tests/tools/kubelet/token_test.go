package main

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"
)

func TestATokenIsKeptWhileItIsYoungAndOurs(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	body := fmt.Sprintf(`{"aud":["a"],"iat":%d,"exp":%d,"kubernetes.io":{"pod":{"uid":"u-1"}}}`, begin.Unix(), begin.Unix()+1000)
	token := []byte("head." + base64.RawURLEncoding.EncodeToString([]byte(body)) + ".signature")
	ours := &contents{pod: samplePod()}
	for seconds, expected := range map[int]bool{0: true, 799: true, 801: false, 2000: false} {
		if got := ours.stillGood(token, begin.Add(time.Duration(seconds)*time.Second)); got != expected {
			t.Errorf("after %d s: %v", seconds, got)
		}
	}
	other := &contents{pod: samplePod()}
	other.pod.UID = "u-2"
	if other.stillGood(token, begin) {
		t.Error("a token of another pod was kept")
	}
	for _, broken := range []string{"", "a.b", "a.%%%.c", "a..c", "a.e30.c"} {
		if ours.stillGood([]byte(broken), begin) {
			t.Errorf("kept %q", broken)
		}
	}
}
