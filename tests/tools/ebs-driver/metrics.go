package main

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"
)

// The driver answers this many scrapes a second, and this many at once; more get 429.
const (
	scrapesPerSecond = 5
	scrapeBurst      = 10
)

// counters are the driver's metrics by its names. A counter is absent until its first event; the histogram is there from
// the start, so that its zeros show that the endpoint is the right one.
type counters struct {
	registry  *prometheus.Registry
	throttles *prometheus.CounterVec
	errors    *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func newCounters() *counters {
	c := &counters{
		registry: prometheus.NewRegistry(),
		throttles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aws_ebs_csi_api_request_throttles_total", Help: "Attempts that EC2 throttled, by operation.",
		}, []string{"operation_name"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aws_ebs_csi_api_request_errors_total", Help: "Attempts that EC2 refused for other reasons, by error code and operation.",
		}, []string{"code", "request"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aws_ebs_csi_api_request_duration_seconds", Help: "How long operations took that succeeded.",
		}, []string{"request"}),
	}
	for _, operation := range []string{"CreateSnapshot", "DeleteSnapshot", "DescribeSnapshots"} {
		c.durations.WithLabelValues(operation)
	}
	c.registry.MustRegister(c.throttles, c.errors, c.durations)
	return c
}

func (c *counters) succeeded(operation string, took time.Duration) {
	c.durations.WithLabelValues(operation).Observe(took.Seconds())
}

// failed counts an attempt. What counts as throttling is the SDK's own list.
func (c *counters) failed(operation, code string) {
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		c.throttles.WithLabelValues(operation).Inc()
	} else {
		c.errors.WithLabelValues(code, operation).Inc()
	}
}

func (c *counters) handler() http.Handler {
	limit := rate.NewLimiter(scrapesPerSecond, scrapeBurst)
	metrics := promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if !limit.Allow() {
			http.Error(answer, "Too Many Requests", http.StatusTooManyRequests)
			return
		}
		metrics.ServeHTTP(answer, request)
	})
}
