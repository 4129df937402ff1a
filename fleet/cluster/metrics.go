package cluster

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics count what a pool does, in a registry of its own.
type metrics struct {
	registry                                *prometheus.Registry
	sent, answers, lost, expired, cancelled prometheus.Counter
	refused                                 *prometheus.CounterVec
	seconds                                 prometheus.Histogram
	refusals                                atomic.Int64 // for any reason
}

const namespace = "descent_fleet"

func newMetrics(p *Pool) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value)
	}
	bytes := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		sent:      counter("calls_sent_total", "Calls sent to workers, those sent again included."),
		answers:   counter("answers_total", "Answers taken."),
		lost:      counter("calls_lost_total", "Calls that a worker lost and that were sent again."),
		expired:   counter("calls_expired_total", "Calls without an answer by their deadline."),
		cancelled: counter("calls_cancelled_total", "Calls given up: those of stragglers without which a round went on."),
		refused:   prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "messages_refused_total", Help: "Messages refused, by reason."}, []string{"reason"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "call_seconds", Help: "Time from a call to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
	}
	m.registry.MustRegister(m.sent, m.answers, m.lost, m.expired, m.cancelled, m.refused, m.seconds,
		bytes("tensor_sent_bytes_total", "Bytes of tensors sent.", p.sent.Load),
		bytes("tensor_received_bytes_total", "Bytes of tensors received.", p.received.Load),
		gauge("workers", "Workers that are there.", func() float64 { return float64(p.alive()) }),
		gauge("calls_queued", "Calls that wait for a worker.", func() float64 { return float64(p.queued()) }),
	)
	return m
}

func (p *Pool) alive() int {
	p.state.Lock()
	defer p.state.Unlock()
	count := 0
	for _, w := range p.workers {
		if w.alive {
			count++
		}
	}
	return count
}

func (p *Pool) queued() int {
	p.state.Lock()
	defer p.state.Unlock()
	return len(p.queue)
}

// Metrics serves what the pool counts in Prometheus' text format.
func (p *Pool) Metrics() http.Handler {
	return promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{})
}
