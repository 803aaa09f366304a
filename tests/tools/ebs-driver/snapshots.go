package main

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// EC2 pages hold at least five.
const pageMin = 5

// CreateSnapshot cuts the volume, or finds what an earlier call of the same name has cut; asked again it tells whether the
// snapshot is ready. The texts are the driver's: users find them in VolumeSnapshotContents.
func (d *driver) CreateSnapshot(ctx context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	name, volume := request.GetName(), request.GetSourceVolumeId()
	if name == "" || volume == "" {
		return nil, status.Error(codes.InvalidArgument, "a snapshot needs a name and a source volume")
	}
	if !d.begin(name) {
		return nil, status.Errorf(codes.Aborted, "An operation with the given Volume %s already exists", name)
	}
	defer d.end(name)
	snapshot, err := d.lookup.byName(ctx, name)
	if err != nil {
		// As it comes: gRPC makes DeadlineExceeded of a deadline and Unknown of the rest.
		return nil, err
	}
	if snapshot == nil {
		if snapshot, err = d.cut(ctx, name, volume); err != nil {
			return nil, err
		}
	}
	return &csi.CreateSnapshotResponse{Snapshot: asCSI(snapshot)}, nil
}

func (d *driver) cut(ctx context.Context, name, volume string) (*types.Snapshot, error) {
	out, err := d.ec2.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{
		VolumeId:          aws.String(volume),
		Description:       aws.String("Created by AWS EBS CSI driver for volume " + volume),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSnapshot, Tags: d.tags(name)}},
	}, func(options *ec2.Options) { options.Retryer = d.createRetryer })
	if hasCode(err, "SnapshotLimitExceeded") {
		return nil, status.Errorf(codes.ResourceExhausted, "Could not create snapshot (resource exhausted) %q: limit exceeded: %v", name, err)
	} else if err != nil {
		return nil, status.Errorf(codes.Internal, "Could not create snapshot %q: error creating snapshot of volume %s: %v", name, volume, err)
	}
	return &types.Snapshot{
		SnapshotId: out.SnapshotId, VolumeId: out.VolumeId, VolumeSize: out.VolumeSize, StartTime: out.StartTime, State: out.State,
	}, nil
}

// tags are the driver's; none of Velero's labels reaches EC2 in this way.
func (d *driver) tags(name string) []types.Tag {
	tags := map[string]string{nameTag: name, driverName + "/cluster": "true"}
	if d.clusterID != "" {
		tags["kubernetes.io/cluster/"+d.clusterID] = "owned"
		tags["Name"] = d.clusterID + "-dynamic-" + name
		tags[driverName+"/cluster-name"] = d.clusterID
	}
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}

// DeleteSnapshot is content when there is nothing to delete.
func (d *driver) DeleteSnapshot(ctx context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	id := request.GetSnapshotId()
	_, err := d.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)}, func(options *ec2.Options) {
		options.Retryer = d.deleteRetryer
	})
	if err != nil && !hasCode(err, "InvalidSnapshot.NotFound") {
		return nil, status.Errorf(codes.Internal, "Could not delete snapshot ID %q: DeleteSnapshot could not delete snapshot: %v", id, err)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

// ListSnapshots finds one snapshot by its id, or a volume's, or all.
func (d *driver) ListSnapshots(ctx context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	input := &ec2.DescribeSnapshotsInput{}
	if id := request.GetSnapshotId(); id != "" {
		input.SnapshotIds = []string{id}
	} else {
		input.OwnerIds = []string{"self"}
		if volume := request.GetSourceVolumeId(); volume != "" {
			input.Filters = []types.Filter{{Name: aws.String("volume-id"), Values: []string{volume}}}
		}
		if entries := request.GetMaxEntries(); entries >= pageMin {
			input.MaxResults = aws.Int32(entries)
		} else if entries > 0 {
			return nil, status.Errorf(codes.InvalidArgument, "EC2 lists at least %d snapshots at once, not %d", pageMin, entries)
		}
		if token := request.GetStartingToken(); token != "" {
			input.NextToken = aws.String(token)
		}
	}
	out, err := d.ec2.DescribeSnapshots(ctx, input)
	if hasCode(err, "InvalidSnapshot.NotFound") {
		return &csi.ListSnapshotsResponse{}, nil
	} else if err != nil {
		return nil, status.Errorf(codes.Internal, "Could not list snapshots: %v", err)
	}
	answer := &csi.ListSnapshotsResponse{NextToken: aws.ToString(out.NextToken)}
	for i := range out.Snapshots {
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: asCSI(&out.Snapshots[i])})
	}
	return answer, nil
}

// begin keeps two calls for one snapshot apart.
func (d *driver) begin(name string) bool {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.names[name] {
		return false
	}
	d.names[name] = true
	return true
}

func (d *driver) end(name string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	delete(d.names, name)
}
