package zeroth

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	blackbox "github.com/descentml/descent/method/zeroth"
)

// Check 7: weights of other features are refused by client and server, and so
// is everything else that was not asked for.
func TestMessagesAreRefused(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 2, Dim: 5, Seed: 8})
	p := small(FZooS, 5, 2)
	c, err := NewClient(p, 0, q.Clients[0])
	if err != nil {
		t.Fatal(err)
	}
	good := Task{Phase: Local, Round: 1, X: q.Start, Shared: make([]float64, 200), Features: p.spec()}
	for name, change := range map[string]func(*Task){
		"seed":         func(t *Task) { t.Features.Seed++ },
		"M":            func(t *Task) { t.Features.Count++ },
		"length scale": func(t *Task) { t.Features.LengthScale = 2 },
		"no features":  func(t *Task) { t.Features = blackbox.FeatureSpec{} },
		"weights":      func(t *Task) { t.Shared = t.Shared[1:] },
		"NaN":          func(t *Task) { t.X = []float64{0, 0, 0, 0, math.NaN()} },
		"dimension":    func(t *Task) { t.X = t.X[1:] },
		"round":        func(t *Task) { t.Round = 0 },
		"phase":        func(t *Task) { t.Phase = 9 },
		"end first":    func(t *Task) { t.Phase = Share },
	} {
		task := good
		change(&task)
		if _, err := c.Handle(t.Context(), &task); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if c.Queries() != 0 {
		t.Errorf("%d queries for refused tasks", c.Queries())
	}
	for name, change := range map[string]func(*Reply){
		"seed":    func(r *Reply) { r.Features.Seed++ },
		"M":       func(r *Reply) { r.Features.Count++ },
		"length":  func(r *Reply) { r.Features.LengthScale = 3 },
		"weights": func(r *Reply) { r.Shared = nil },
		"infinite": func(r *Reply) {
			r.Shared = slices.Clone(r.Shared)
			r.Shared[3] = math.Inf(1)
		},
		"late":   func(r *Reply) { r.Round-- },
		"client": func(r *Reply) { r.Client = 0 },
		"value":  func(r *Reply) { r.Value = math.NaN() },
		"count":  func(r *Reply) { r.Queries = -1 },
	} {
		s := simulate(t, p, q)
		run(t, s, 1)
		before := s.Server().State()
		if _, err := s.Server().Round(t.Context(), tampering{s, change}); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: error %v", name, err)
		}
		if after := s.Server().State(); after.Round != before.Round || !floats.Equal(after.X, before.X) || after.Totals != before.Totals {
			t.Errorf("%s: the refused reply changed the server's state", name)
		}
	}
}

// tampering changes what client 1 shares.
type tampering struct {
	*Simulation
	change func(*Reply)
}

func (x tampering) Ask(ctx context.Context, t *Task) ([]*Reply, error) {
	replies, err := x.Simulation.Ask(ctx, t)
	if err == nil && t.Phase == Share {
		changed := *replies[1]
		x.change(&changed)
		replies[1] = &changed
	}
	return replies, err
}

// A task that comes twice is answered twice with one set of queries; an older
// one is refused.
func TestRepeatedTasks(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 1, Dim: 5, Seed: 9})
	c, err := NewClient(small(FZooS, 5, 1), 0, q.Clients[0])
	if err != nil {
		t.Fatal(err)
	}
	task := &Task{Phase: Local, Round: 1, X: q.Start}
	first, err := c.Handle(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	queries := c.Queries()
	again, err := c.Handle(t.Context(), task)
	if err != nil || again != first || c.Queries() != queries {
		t.Errorf("another answer to the same task after %d queries, %v", c.Queries(), err)
	}
	if _, err := c.Handle(t.Context(), &Task{Phase: Share, Round: 1, X: q.Start}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Handle(t.Context(), task); !errors.Is(err, ErrMessage) {
		t.Errorf("an old task: error %v", err)
	}
}

func TestMessagesInBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		numbers := func(name string) []float64 {
			n := rapid.IntRange(0, 20).Draw(t, name)
			if n == 0 {
				return nil
			}
			list := make([]float64, n)
			for i := range list {
				list[i] = rng.NormFloat64()
			}
			return list
		}
		spec := blackbox.FeatureSpec{Dim: rng.IntN(99), Count: rng.IntN(99), LengthScale: rng.Float64(), Seed: rng.Uint64()}
		task := Task{Phase: Share, Round: rng.IntN(1000), X: numbers("x"), Shared: numbers("w"), Features: spec}
		text, _ := task.MarshalBinary()
		var read Task
		if err := read.UnmarshalBinary(text); err != nil || int64(len(text)) != task.Bytes() || !slices.Equal(read.X, task.X) || !slices.Equal(read.Shared, task.Shared) || read.Features != spec || read.Round != task.Round || read.Phase != Share {
			t.Fatalf("%+v became %+v, %v", task, read, err)
		}
		reply := Reply{Phase: Local, Round: 7, Client: 3, X: task.X, Shared: task.Shared, Value: rng.Float64(), Queries: rng.Int64(), Features: spec}
		text, _ = reply.MarshalBinary()
		var back Reply
		if err := back.UnmarshalBinary(text); err != nil || int64(len(text)) != reply.Bytes() || back.Value != reply.Value || back.Queries != reply.Queries || back.Client != 3 || !slices.Equal(back.Shared, reply.Shared) {
			t.Fatalf("%+v became %+v, %v", reply, back, err)
		}
		if cut := rapid.IntRange(0, len(text)-1).Draw(t, "cut"); back.UnmarshalBinary(text[:cut]) == nil {
			t.Fatalf("%d of %d bytes were accepted", cut, len(text))
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	task, _ := (&Task{Phase: Local, Round: 1, X: []float64{1, 2}, Shared: []float64{3}}).MarshalBinary()
	reply, _ := (&Reply{Phase: Local, Round: 1, X: []float64{1, 2}}).MarshalBinary()
	f.Add(task)
	f.Add(reply)
	f.Add([]byte("T"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var task Task
		if task.UnmarshalBinary(b) == nil {
			if again, _ := task.MarshalBinary(); !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
		}
		var reply Reply
		if reply.UnmarshalBinary(b) == nil {
			if again, _ := reply.MarshalBinary(); !bytes.Equal(again, b) {
				t.Errorf("%x became %x", b, again)
			}
		}
	})
}
