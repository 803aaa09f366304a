package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// attemptsMax is the driver's, for every request; the deadline of the CSI call ends most of them sooner.
const attemptsMax = 50

// connect makes a client of the EC2 at the endpoint, which must be a stand-in's.
func connect(ctx context.Context, endpoint string, counters *counters) (*ec2.Client, error) {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("AWS_EC2_ENDPOINT: %w", err)
	}
	if ip := net.ParseIP(parsed.Hostname()); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("AWS_EC2_ENDPOINT %q: must be a URL on a loopback address; this program never talks to AWS", endpoint)
	}
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot load the AWS configuration: %w", err)
	}
	return ec2.NewFromConfig(settings, func(options *ec2.Options) {
		options.BaseEndpoint = &endpoint
		options.RetryMaxAttempts = attemptsMax
		options.APIOptions = append(options.APIOptions, counters.observe)
	}), nil
}

// patient is the driver's retryer for what EC2 throttles: adaptive, so that all requests that share it slow down together.
func patient() aws.Retryer {
	return retry.NewAdaptiveMode(func(options *retry.AdaptiveModeOptions) {
		options.StandardOptions = append(options.StandardOptions, func(standard *retry.StandardOptions) {
			standard.MaxAttempts = attemptsMax
		})
	})
}

// observe counts operations that succeeded, and each attempt that failed.
func (c *counters) observe(stack *middleware.Stack) error {
	whole := middleware.InitializeMiddlewareFunc("CountOperation", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		began := time.Now()
		out, metadata, err := next.HandleInitialize(ctx, in)
		if err == nil {
			c.succeeded(awsmiddleware.GetOperationName(ctx), time.Since(began))
		}
		return out, metadata, err
	})
	// After the middleware that retries, which calls what is behind it once an attempt.
	attempt := middleware.FinalizeMiddlewareFunc("CountAttempt", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		var answer smithy.APIError
		if errors.As(err, &answer) {
			c.failed(awsmiddleware.GetOperationName(ctx), answer.ErrorCode())
		}
		return out, metadata, err
	})
	return errors.Join(stack.Initialize.Add(whole, middleware.After), stack.Finalize.Add(attempt, middleware.After))
}

// hasCode tells whether EC2 answered with this error code.
func hasCode(err error, code string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorCode() == code
}
