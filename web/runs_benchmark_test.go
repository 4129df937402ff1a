//go:build unix

package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/lab/store/storetest"
)

// largeStore names the variable that lets the benchmark fill a store of 2,000
// runs and ten million points instead of a twentieth of it.
const largeStore = "DESCENT_LARGE_STORE"

func benchmarkSite(b *testing.B) (*Server, string) {
	b.Helper()
	st, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	s, err := New(Options{Store: st})
	if err != nil {
		b.Fatal(err)
	}
	answering := httptest.NewServer(s.Handler())
	b.Cleanup(answering.Close)
	b.Cleanup(answering.CloseClientConnections)
	return s, answering.URL
}

// forget empties a cache.
func (c *cache[T]) forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.kept, c.order = nil, nil
}

// read asks for a page and reads all of it.
func read(address string) (int, error) {
	answer, err := http.Get(address)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return int(n), err
}

// BenchmarkLargeStore opens the pages that the issue promises times for: the
// list under 200 ms, a chart of five runs with 100,000 points each, drawn anew
// every time, under 300 ms.
func BenchmarkLargeStore(b *testing.B) {
	s, address := benchmarkSite(b)
	size := storetest.Small
	if os.Getenv(largeStore) == "" {
		b.Logf("a twentieth of the large store; %s=1 fills all of it", largeStore)
	} else {
		size = storetest.Large
	}
	size.LongRuns = 5
	ids, err := storetest.Fill(b.Context(), s.store, size, 1)
	if err != nil {
		b.Fatal(err)
	}
	id := make([]string, 5)
	for i := range id {
		id[i] = fmt.Sprintf("id=%d", ids[i])
	}
	compare := "/runs/compare?" + strings.Join(id, "&")
	for _, c := range []struct{ name, path string }{
		{"list", "/runs"},
		{"list, filtered", "/runs?data=digits&model=mlp&method=adam&state=done"},
		{"chart of five", compare},
		{"chart of five, log axes", compare + "&log=x&log=y&x=step"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var slowest time.Duration
			for b.Loop() {
				s.runs.charts.forget()
				s.runs.documents.forget()
				began := time.Now()
				if _, err := read(address + c.path); err != nil {
					b.Fatal(err)
				}
				slowest = max(slowest, time.Since(began))
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "ms/slowest")
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.Sys)/1e6, "MB/of-process")
		})
	}
}

// BenchmarkFiftyViewers times a run in a process of its own that uses all
// cores, alone and with fifty viewers that follow it and fetch the page at
// every change, in turn. The viewers are part of this process, and what they
// cost is counted with what the server costs.
func BenchmarkFiftyViewers(b *testing.B) {
	b.Setenv(workVariable, "1")
	const viewers, rounds = 50, 3
	s, address := benchmarkSite(b)
	var alone, watched []float64
	pages, work := 0, 0.0
	for range rounds {
		seconds, _ := timedRun(b, s, address, 0)
		alone = append(alone, seconds)
		before := cpu(b)
		seconds, loads := timedRun(b, s, address, viewers)
		work += (cpu(b) - before) / seconds
		watched, pages = append(watched, seconds), pages+loads
	}
	for b.Loop() { // the work is above
	}
	slices.Sort(alone)
	slices.Sort(watched)
	b.Logf("alone %.2f s, watched %.2f s, %d pages", alone, watched, pages)
	b.ReportMetric(watched[rounds/2]/alone[rounds/2], "watched/alone")
	b.ReportMetric(float64(pages)/rounds, "pages/run")
	b.ReportMetric(100*work/rounds/float64(runtime.NumCPU()), "%of-all-cores")
	b.ReportMetric(0, "ns/op")
}

// cpu is the time that all threads of this process have worked, in seconds.
func cpu(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// timedRun runs a comparison with some viewers, and returns the seconds that
// the store has of it and the number of pages that were loaded meanwhile.
func timedRun(b *testing.B, s *Server, address string, viewers int) (float64, int) {
	b.Helper()
	started, err := s.launch(b.Context(), "compare", "--data=digits", "--methods=adam,sgd,momentum", "--model=mlp:128",
		"--epochs=60", "--seeds=3", fmt.Sprintf("--workers=%d", runtime.NumCPU()))
	if err != nil || started.Run == 0 {
		b.Fatalf("%+v, %v", started, err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var group sync.WaitGroup
	var loads atomic.Int64
	page := fmt.Sprintf("%s/runs/%d", address, started.Run)
	for range viewers {
		group.Go(func() {
			if err := watchRun(ctx, page, &loads); err != nil && ctx.Err() == nil {
				b.Error(err)
			}
		})
	}
	for ended := false; !ended; time.Sleep(20 * time.Millisecond) {
		l, _ := s.runs.launcher.Find(started.ID)
		ended = l.Ended
	}
	stop()
	group.Wait()
	run, err := s.store.Run(b.Context(), started.Run)
	if err != nil || run.State != store.Done {
		b.Fatalf("%s, %v", run.State, err)
	}
	return run.Seconds, int(loads.Load())
}

// watchRun does what live.js does: it follows a run, and fetches its page at every
// change.
func watchRun(ctx context.Context, page string, loads *atomic.Int64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"/events", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if lines.Text() != "event: change" {
			continue
		}
		if _, err := read(page); err != nil {
			return err
		}
		loads.Add(1)
	}
	return ctx.Err()
}
