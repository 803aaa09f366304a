package main

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// nameTag carries the snapshot's CSI name; the driver finds by it what it has cut and not been told about.
const nameTag = "CSIVolumeSnapshotName"

// The driver's batching: names gather for half a second; EC2 takes at most 200 values a filter.
const (
	batchWindow = 500 * time.Millisecond
	batchMax    = 200
	// batchTimeout ends a request that no caller waits for any more: no CSI call is longer.
	batchTimeout = 60 * time.Second
)

// lookup finds snapshots by name.
type lookup struct {
	ec2      *ec2.Client
	batching bool

	lock    sync.Mutex
	waiting []question
}

type question struct {
	name   string
	answer chan<- answer
}

type answer struct {
	snapshot *types.Snapshot
	err      error
}

func newLookup(client *ec2.Client, batching bool) *lookup {
	return &lookup{ec2: client, batching: batching}
}

// byName is the snapshot of that name; nil when there is none.
func (l *lookup) byName(ctx context.Context, name string) (*types.Snapshot, error) {
	if !l.batching {
		found, err := l.describe(ctx, []string{name})
		return found[name], err
	}
	answered := make(chan answer, 1)
	l.ask(question{name, answered})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case answer := <-answered:
		return answer.snapshot, answer.err
	}
}

// ask adds to the batch that gathers; the first of a batch starts its window, the last that fits ends it.
func (l *lookup) ask(asked question) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.waiting = append(l.waiting, asked)
	switch len(l.waiting) {
	case batchMax:
		batch := l.waiting
		l.waiting = nil
		go l.send(batch)
	case 1:
		time.AfterFunc(batchWindow, func() {
			l.lock.Lock()
			batch := l.waiting
			l.waiting = nil
			l.lock.Unlock()
			l.send(batch)
		})
	}
}

func (l *lookup) send(batch []question) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	names := make([]string, 0, len(batch))
	for _, asked := range batch {
		names = append(names, asked.name)
	}
	found, err := l.describe(ctx, names)
	for _, asked := range batch {
		asked.answer <- answer{found[asked.name], err}
	}
}

func (l *lookup) describe(ctx context.Context, names []string) (map[string]*types.Snapshot, error) {
	found := map[string]*types.Snapshot{}
	pages := ec2.NewDescribeSnapshotsPaginator(l.ec2, &ec2.DescribeSnapshotsInput{
		Filters: []types.Filter{{Name: aws.String("tag:" + nameTag), Values: names}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range page.Snapshots {
			for _, tag := range page.Snapshots[i].Tags {
				if aws.ToString(tag.Key) == nameTag {
					found[aws.ToString(tag.Value)] = &page.Snapshots[i]
				}
			}
		}
	}
	return found, nil
}
