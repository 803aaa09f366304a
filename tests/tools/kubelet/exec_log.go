package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"
)

// execEvent says what a line of the log is about.
type execEvent string

const (
	// execStart: a process runs; pid is its id in this program's process namespace.
	execStart execEvent = "exec-start"
	// execEnd: that process has ended; exit_code is as a shell reports it.
	execEnd execEvent = "exec-end"
	// execReleased: nobody holds its output any more; only now does the client get its answer. A child that keeps
	// stdout makes this later than execEnd.
	execReleased execEvent = "exec-released"
	// execRefused: nothing was run; error says why.
	execRefused execEvent = "exec-refused"
	// containerStart and containerEnd are about a container's own command, with --run-containers.
	containerStart execEvent = "container-start"
	containerEnd   execEvent = "container-end"
)

// execLine is one line of the log, which is the tests' own knowledge of what was run when.
type execLine struct {
	// AtNs is the wall clock, in nanoseconds since 1970.
	AtNs       int64     `json:"at_ns"`
	What       execEvent `json:"what"`
	Namespace  string    `json:"namespace"`
	Pod        string    `json:"pod"`
	UID        string    `json:"uid"`
	Container  string    `json:"container"`
	Command    []string  `json:"command"`
	PID        int       `json:"pid,omitempty"`
	ExitCode   *int      `json:"exit_code"`
	Error      string    `json:"error,omitempty"`
	StdoutTail string    `json:"stdout_tail,omitempty"`
	StderrTail string    `json:"stderr_tail,omitempty"`
}

type execLog struct{ file *os.File }

func openExecLog(path string) (*execLog, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log: %w", err)
	}
	return &execLog{file}, nil
}

// add writes the line with one call, so that lines of several writers do not mix.
func (l *execLog) add(line execLine) {
	line.AtNs = time.Now().UnixNano()
	text, err := json.Marshal(line)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	if err != nil {
		// Tests would draw wrong conclusions from a log with gaps.
		log.Fatalf("cannot write the exec log: %v", err)
	}
}
