package main

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const driverName = "ebs.csi.aws.com"

// driver answers CSI calls. What it does not define is answered as unimplemented.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	ec2       *ec2.Client
	lookup    *lookup
	clusterID string
	// Retryers keep the pace at which EC2 answers: one for all requests of a kind.
	createRetryer, deleteRetryer aws.Retryer

	lock sync.Mutex
	// names are those of snapshots being created.
	names map[string]bool
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driverName, VendorVersion: "stand-in"}, nil
}

func (d *driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	controller := &csi.PluginCapability{Type: &csi.PluginCapability_Service_{
		Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE},
	}}
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{controller}}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}

func (d *driver) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

// asCSI says of an EC2 snapshot what CSI asks: EC2 gives GiB, and its start is the moment that it holds.
func asCSI(snapshot *types.Snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     aws.ToString(snapshot.SnapshotId),
		SourceVolumeId: aws.ToString(snapshot.VolumeId),
		SizeBytes:      int64(aws.ToInt32(snapshot.VolumeSize)) << 30,
		CreationTime:   timestamppb.New(aws.ToTime(snapshot.StartTime)),
		ReadyToUse:     snapshot.State == types.SnapshotStateCompleted,
	}
}
