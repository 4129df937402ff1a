package web

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/web/observe"
)

// told are fleets that say what a test wants.
type told struct {
	fleets []observe.Fleet
	err    error
}

func (f told) Fleets(context.Context) ([]observe.Fleet, error) { return f.fleets, f.err }

// busy is a fleet with a job, a straggler and a worker that is lost.
func busy() told {
	loss := 0.123456
	return told{fleets: []observe.Fleet{{
		Server: "nats://127.0.0.1:4222", Queued: 3,
		Workers: []cluster.WorkerStatus{
			{Name: "w1", Alive: true, Host: "node-1", Capacity: 2, InFlight: 1, Answers: 40, Work: 0.0123, Silent: 0.2},
			{Name: "w2", Alive: true, Host: "node-2", Capacity: 2, Answers: 12, Late: 9, Work: 1.5, Silent: 0.4},
			{Name: hostile, Host: "node-3", Capacity: 2, Silent: 44},
		},
		Jobs: []cluster.Progress{{Job: "train-7", What: "sequential code on digits", Round: 30, Rounds: 120, Loss: &loss, Stragglers: []string{"w2"}, Late: 9, Waited: 1, Seconds: 12}},
	}}}
}

func TestFleetPage(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Fleet = busy() })
	status, page := get(t, s, "/fleet")
	for _, want := range []string{"2 <span>of 3 alive", "train-7", "30 of 120", "0.1235", "straggler", "12.3 ms", "lost", "&lt;script&gt;", `data-poll="2"`} {
		if !strings.Contains(page, want) {
			t.Errorf("status %d: the page does not say %q", status, want)
		}
	}
	if strings.Count(page, ">straggler<") != 1 || strings.Contains(page, "<script>document") {
		t.Error("more than w2 is a straggler, or a name is taken as HTML")
	}
	for name, c := range map[string]struct {
		fleet  told
		want   string
		polled bool
	}{
		"unreachable": {told{err: errors.New("connection refused")}, "A fleet does not answer: connection refused.", true},
		"no fleet":    {told{err: observe.ErrNone}, "No fleet is up.", false},
		"no workers":  {told{fleets: []observe.Fleet{{Server: "nats://x"}}}, "No worker is there yet.", true},
	} {
		_, page := get(t, newSite(t, func(o *Options) { o.Fleet = c.fleet }), "/fleet")
		if !strings.Contains(page, c.want) || strings.Contains(page, "data-poll") != c.polled {
			t.Errorf("%s: the page does not say %q, or follows what cannot change", name, c.want)
		}
	}
	var answer struct{ Fleets []observe.Fleet }
	if _, text := get(t, s, "/fleet.json"); json.Unmarshal([]byte(text), &answer) != nil || len(answer.Fleets) != 1 || answer.Fleets[0].Jobs[0].Round != 30 {
		t.Errorf("as JSON: %+v", answer)
	}
}

func TestFleetPageInABrowser(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Fleet = busy() })
	b := openTab(t, s)
	b.dark(false)
	b.visit("/fleet")
	if wrong := eval[[]string](b, audit); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "; "))
	}
	if faint := eval[[]string](b, contrasts); len(faint) > 0 {
		t.Error(strings.Join(faint, "; "))
	}
	b.size(380, 800)
	b.fits()
}
