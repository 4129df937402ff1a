package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// echo answers with as many numbers as it is asked for.
func echo(_ context.Context, w cluster.Work) (cluster.Result, error) {
	var model []float32
	for _, s := range w.Shared {
		var err error
		if model, err = s.Float32s(); err != nil {
			return cluster.Result{}, err
		}
	}
	answer := make([]float32, len(model))
	return cluster.Result{Tensor: frame.Of32(answer)}, nil
}

// BenchmarkCall is a federated round in small: every client is sent a model and
// answers with as many numbers, one call each, eight at a time.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{100, 5_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			quiet := slog.New(slog.DiscardHandler)
			server, err := link.StartServer(link.ServerConfig{Log: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			conn, err := server.Connect(b.Context(), "bench", "")
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			address := server.Worker()
			address.Log = quiet
			theirs, err := link.Connect(ctx, address)
			if err != nil {
				b.Fatal(err)
			}
			defer theirs.Close()
			go cluster.Serve(ctx, theirs, cluster.Worker{Name: "w", Capacity: 8, Tasks: cluster.Tasks{"echo": echo}, Log: quiet})
			if err := pool.Wait(ctx, 1); err != nil {
				b.Fatal(err)
			}
			shared, err := pool.Share(frame.Of32(make([]float32, size)))
			if err != nil {
				b.Fatal(err)
			}
			replies := make(chan cluster.Reply, 16)
			b.SetBytes(int64(8 * size))
			b.ReportAllocs()
			under, next := 0, uint64(0)
			for b.Loop() {
				for under < 8 {
					next++
					if err := pool.Start(cluster.Call{ID: cluster.ID{Job: "bench", Round: next}, Task: "echo", Shared: []*cluster.Shared{shared}}, replies); err != nil {
						b.Fatal(err)
					}
					under++
				}
				r := <-replies
				if r.Err != nil {
					b.Fatal(r.Err)
				}
				pool.Recycle(r.Tensor)
				under--
			}
		})
	}
}

// BenchmarkJournal puts a client's result of 5,000 numbers on disk.
func BenchmarkJournal(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	conn, err := server.Connect(b.Context(), "bench", "")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	j, err := cluster.OpenJournal(b.Context(), conn, "bench")
	if err != nil {
		b.Fatal(err)
	}
	tensor := frame.Of64(make([]float64, 5_000))
	b.SetBytes(int64(len(tensor.Data)))
	round := uint64(0)
	for b.Loop() {
		round++
		if err := j.Result(b.Context(), cluster.Entry{Round: round, Tensor: tensor}); err != nil {
			b.Fatal(err)
		}
		if round%1000 == 0 {
			if err := j.Checkpoint(b.Context(), cluster.Entry{Round: round}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
