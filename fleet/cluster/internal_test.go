package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// TestEnvelope opens what was closed, and no piece of it.
func TestEnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var references []reference
		for range rapid.IntRange(0, 3).Draw(t, "count") {
			shape := rapid.SliceOfN(rapid.IntRange(0, 9), 1, frame.MaxRank).Draw(t, "shape")
			references = append(references, reference{rapid.Uint64().Draw(t, "number"), frame.Layout{DType: frame.Float32, Shape: shape}})
		}
		where := rapid.StringN(0, 100, 255).Draw(t, "where")
		b := envelope(7, where, references, []byte("arguments"))
		deadline, w, r, arguments, err := open(b)
		if err != nil || deadline != 7 || w != where || fmt.Sprint(r) != fmt.Sprint(references) || string(arguments) != "arguments" {
			t.Fatalf("%v %q %v %q %v", deadline, w, r, arguments, err)
		}
		cut := rapid.IntRange(0, len(b)-len("arguments")-1).Draw(t, "cut")
		if _, _, _, _, err := open(b[:cut]); err == nil {
			t.Fatalf("%d of %d bytes were opened", cut, len(b))
		}
	})
}

// FuzzOpen opens any bytes: what is accepted is written again as it was.
func FuzzOpen(f *testing.F) {
	f.Add(envelope(1, "here", []reference{{3, frame.Layout{DType: frame.Float64, Shape: []int{2, 2}}}}, []byte("x")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		deadline, where, references, arguments, err := open(b)
		if err == nil && !slices.Equal(envelope(deadline, where, references, arguments), b) {
			t.Fatalf("%x was accepted and is written in another way", b)
		}
	})
}

// TestCache fetches once for many, again after a failure, and gives memory back
// when nobody uses it any more.
func TestCache(t *testing.T) {
	freed := 0
	c := newCache(100, func([]byte) { freed++ })
	tensor := frame.OfRaw(make([]byte, 60))
	fetches := 0
	var group sync.WaitGroup
	entries := make([]*cached, 10)
	for i := range entries {
		group.Go(func() {
			var err error
			entries[i], err = c.get(context.Background(), cacheKey{"a", 1}, func() (frame.Tensor, error) { fetches++; return tensor, nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if fetches != 1 {
		t.Errorf("%d fetches", fetches)
	}
	broken := errors.New("broken")
	if _, err := c.get(context.Background(), cacheKey{"a", 2}, func() (frame.Tensor, error) { return frame.Tensor{}, broken }); err != broken {
		t.Errorf("a failed fetch: %v", err)
	}
	second, err := c.get(context.Background(), cacheKey{"a", 2}, func() (frame.Tensor, error) { return tensor, nil })
	if err != nil {
		t.Fatal(err)
	}
	if freed != 0 { // the first is out of the cache by now, and in use
		t.Errorf("memory in use was given back")
	}
	for _, e := range entries {
		c.leave(e)
	}
	if freed != 1 {
		t.Errorf("memory was given back %d times", freed)
	}
	c.drop(cacheKey{"a", 2})
	c.leave(second)
	if freed != 2 || c.bytes != 0 {
		t.Errorf("memory was given back %d times, %d bytes are kept", freed, c.bytes)
	}
}

// BenchmarkHeartbeat is what a coordinator spends on a worker twice a second.
func BenchmarkHeartbeat(b *testing.B) {
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
	p, err := NewPool(conn, PoolConfig{Log: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	text, err := json.Marshal(heartbeat{Name: "w", Instance: nonce(), Started: 1, Host: "host", Tasks: []string{"coded", "federated"}, Capacity: 1})
	if err != nil {
		b.Fatal(err)
	}
	message, err := frame.Append(nil, &frame.Frame{Kind: frame.Heartbeat, Arguments: text})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		p.heard(&nats.Msg{Subject: link.SubjectHeartbeat + ".w", Data: message})
	}
}
