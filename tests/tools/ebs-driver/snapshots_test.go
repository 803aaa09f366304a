package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const snapshotFields = `<snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><volumeSize>3</volumeSize><startTime>2026-01-02T03:04:05.000Z</startTime>`

// account is an EC2 with at most one snapshot; refusals are error codes that CreateSnapshot answers first, in this order.
type account struct {
	lock     sync.Mutex
	refusals []string
	cuts     int
	name     string
	state    string
}

func (a *account) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if err := request.ParseForm(); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	switch action := request.Form.Get("Action"); action {
	case "DescribeSnapshots":
		fmt.Fprint(answer, "<DescribeSnapshotsResponse><snapshotSet>")
		for key, values := range request.Form {
			if strings.HasPrefix(key, "Filter.1.Value.") && values[0] == a.name && a.cuts > 0 {
				fmt.Fprintf(answer, "<item>%s<status>%s</status><tagSet><item><key>%s</key><value>%s</value></item></tagSet></item>", snapshotFields, a.state, nameTag, a.name)
			}
		}
		fmt.Fprint(answer, "</snapshotSet></DescribeSnapshotsResponse>")
	case "CreateSnapshot":
		if len(a.refusals) > 0 {
			code := a.refusals[0]
			a.refusals = a.refusals[1:]
			answer.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(answer, "<Response><Errors><Error><Code>%s</Code><Message>Says EC2.</Message></Error></Errors><RequestID>r-1</RequestID></Response>", code)
			return
		}
		a.cuts++
		a.name = request.Form.Get("TagSpecification.1.Tag.1.Value")
		fmt.Fprintf(answer, "<CreateSnapshotResponse>%s<status>%s</status></CreateSnapshotResponse>", snapshotFields, a.state)
	default:
		http.Error(answer, action, http.StatusNotImplemented)
	}
}

// start makes a driver on the account, and a function that tells its metrics.
func start(t *testing.T, account *account) (*driver, func() string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	server := httptest.NewServer(account)
	t.Cleanup(server.Close)
	counters := newCounters()
	client, err := connect(t.Context(), server.URL, counters)
	if err != nil {
		t.Fatal(err)
	}
	metrics := func() string {
		answer := httptest.NewRecorder()
		counters.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return answer.Body.String()
	}
	return &driver{
		ec2: client, createRetryer: patient(), deleteRetryer: patient(), lookup: newLookup(client, true), names: map[string]bool{},
	}, metrics
}

var wanted = &csi.CreateSnapshotRequest{Name: "snapshot-a", SourceVolumeId: "vol-1"}

func TestASnapshotIsCutOnce(t *testing.T) {
	account := &account{state: "pending"}
	driver, metrics := start(t, account)
	before := metrics()
	if !strings.Contains(before, `aws_ebs_csi_api_request_duration_seconds_count{request="CreateSnapshot"} 0`) || strings.Contains(before, "throttles") {
		t.Errorf("at first:\n%s", before)
	}
	for _, state := range []string{"pending", "pending", "completed"} {
		account.state = state
		answer, err := driver.CreateSnapshot(t.Context(), wanted)
		if err != nil {
			t.Fatal(err)
		}
		got := answer.GetSnapshot()
		if got.GetSnapshotId() != "snap-1" || got.GetSizeBytes() != 3<<30 || got.GetCreationTime().GetSeconds() != 1767323045 || got.GetReadyToUse() != (state == "completed") {
			t.Errorf("%s: %v", state, got)
		}
	}
	if account.cuts != 1 || account.name != "snapshot-a" {
		t.Errorf("%d cuts, named %q", account.cuts, account.name)
	}
	if after := metrics(); !strings.Contains(after, `aws_ebs_csi_api_request_duration_seconds_count{request="CreateSnapshot"} 1`) {
		t.Errorf("afterwards:\n%s", after)
	}
}

func TestThrottlingIsRetriedAndCounted(t *testing.T) {
	account := &account{state: "completed", refusals: []string{"RequestLimitExceeded", "RequestLimitExceeded"}}
	driver, metrics := start(t, account)
	if _, err := driver.CreateSnapshot(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	if got := metrics(); !strings.Contains(got, `aws_ebs_csi_api_request_throttles_total{operation_name="CreateSnapshot"} 2`) {
		t.Errorf("metrics:\n%s", got)
	}
}

func TestRefusalsInTheDriversWords(t *testing.T) {
	frame := "operation error EC2: CreateSnapshot, https response error StatusCode: 400, RequestID: r-1, api error "
	for code, expected := range map[string]struct {
		status codes.Code
		text   string
	}{
		"SnapshotCreationPerVolumeRateExceeded": {codes.Internal, `Could not create snapshot "snapshot-a": error creating snapshot of volume vol-1: ` + frame},
		"SnapshotLimitExceeded":                 {codes.ResourceExhausted, `Could not create snapshot (resource exhausted) "snapshot-a": limit exceeded: ` + frame},
	} {
		driver, metrics := start(t, &account{state: "pending", refusals: []string{code}})
		_, err := driver.CreateSnapshot(t.Context(), wanted)
		if got := status.Convert(err); got.Code() != expected.status || got.Message() != expected.text+code+": Says EC2." {
			t.Errorf("%s: %s", code, got)
		}
		if got := metrics(); !strings.Contains(got, fmt.Sprintf(`aws_ebs_csi_api_request_errors_total{code=%q,request="CreateSnapshot"} 1`, code)) {
			t.Errorf("%s: metrics:\n%s", code, got)
		}
	}
}

func TestOnlyALoopbackAddressIsCalled(t *testing.T) {
	for _, endpoint := range []string{"", "https://ec2.us-east-1.amazonaws.com", "http://192.0.2.1:80", "http://localhost:1"} {
		if _, err := connect(context.Background(), endpoint, newCounters()); err == nil {
			t.Errorf("%q was accepted", endpoint)
		}
	}
}
