package cluster_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// TestJournal records, loses its coordinator, and goes on.
func TestJournal(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	ctx := t.Context()
	j, err := cluster.OpenJournal(ctx, f.conn, "digits")
	must(t, err)
	if s := j.Saved(); s.Settings != nil || s.Checkpoint != nil || s.Results != nil {
		t.Fatalf("a new journal holds %+v", s)
	}
	must(t, j.Describe(ctx, []byte("settings")))
	large := make([]float64, 1_200_000) // more than a message holds
	random := rand.New(rand.NewPCG(1, 2))
	for i := range large {
		large[i] = random.Float64()
	}
	for round := range uint64(3) {
		for part := range uint32(3) {
			must(t, j.Result(ctx, cluster.Entry{Round: round, Part: part, Arguments: []byte{byte(part)}, Tensor: frame.Of64(large[:100])}))
		}
		if err := j.Result(ctx, cluster.Entry{Round: round, Part: 1}); !errors.Is(err, cluster.ErrCounted) {
			t.Fatalf("the same result again: %v", err)
		}
		must(t, j.Checkpoint(ctx, cluster.Entry{Round: round, Tensor: frame.Of64(large)}))
	}
	must(t, j.Result(ctx, cluster.Entry{Round: 3, Part: 7, Tensor: frame.Of64(large)}))

	// The second coordinator finds the last checkpoint and what came after.
	k, err := cluster.OpenJournal(ctx, f.conn, "digits")
	must(t, err)
	s := k.Saved()
	if string(s.Settings) != "settings" || s.Checkpoint == nil || s.Checkpoint.Round != 2 || len(s.Results) != 1 || s.Results[0].Part != 7 {
		t.Fatalf("the journal holds %+v", s)
	}
	for _, tensor := range []frame.Tensor{s.Checkpoint.Tensor, s.Results[0].Tensor} {
		numbers, err := tensor.Float64s()
		must(t, err)
		if !slices.Equal(numbers, large) {
			t.Fatal("a large tensor came back changed")
		}
	}
	if err := k.Result(ctx, cluster.Entry{Round: 3, Part: 7}); !errors.Is(err, cluster.ErrCounted) {
		t.Fatalf("a result from before: %v", err)
	}
	// The first one cannot write any more.
	if err := j.Result(ctx, cluster.Entry{Round: 3, Part: 8}); !errors.Is(err, cluster.ErrTakenOver) {
		t.Fatalf("the first coordinator: %v", err)
	}
	must(t, k.Result(ctx, cluster.Entry{Round: 3, Part: 8}))
	jobs, err := cluster.Jobs(ctx, f.conn)
	must(t, err)
	if !slices.Equal(jobs, []string{"digits"}) {
		t.Fatalf("jobs %v", jobs)
	}
	must(t, k.Remove(ctx))
	last, err := cluster.OpenJournal(ctx, f.conn, "digits")
	must(t, err)
	if s := last.Saved(); s.Settings != nil || s.Checkpoint != nil || s.Results != nil {
		t.Fatalf("a removed journal holds %+v", s)
	}
	if _, err := cluster.OpenJournal(ctx, f.conn, "a.*"); err == nil {
		t.Fatal("a job with a wildcard")
	}
}
