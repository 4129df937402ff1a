package chart

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/descentml/descent/lab/store"
)

// subject is a run with the trials that a chart of it shows.
type subject struct {
	run    store.Run
	groups []trials
}

// trials are the trials of one line: one method with one learning rate, a
// trial for each seed, in order of seed.
type trials struct {
	method string
	rate   float64
	tuning bool // the learning rate is not settled yet
	of     []store.Trial
}

// asked are the fields of a run's configuration that say what order its lines
// have. Configurations of other kinds have none of them.
type asked struct {
	Methods  []string `json:"methods"`
	Schedule string   `json:"schedule"`
}

// settled are the fields of a run's result that say which learning rates were
// chosen.
type settled struct {
	Results []struct {
		Method       string  `json:"method"`
		LearningRate float64 `json:"learning_rate"`
	} `json:"results"`
}

// readSubject reads what there is to show of a run.
func readSubject(ctx context.Context, st *store.Store, id int64) (subject, error) {
	run, err := st.Run(ctx, id)
	if err != nil {
		return subject{}, err
	}
	all, err := st.Trials(ctx, id)
	if err != nil {
		return subject{}, err
	}
	var config asked
	var result settled
	// What cannot be read here is of another kind, and says nothing of lines.
	_ = json.Unmarshal(run.Config, &config)
	_ = json.Unmarshal(run.Result, &result)
	chosen := map[string]float64{}
	for _, r := range result.Results {
		chosen[r.Method] = r.LearningRate
	}
	of := map[string][]store.Trial{}
	for _, t := range all {
		of[t.Method] = append(of[t.Method], t)
	}
	s := subject{run: run}
	for _, method := range order(config, all) {
		s.groups = append(s.groups, choose(method, of[method], chosen))
	}
	return s, nil
}

// order lists the methods of a run: as they were asked for, then others as they
// were started.
func order(config asked, all []store.Trial) []string {
	var methods []string
	schedules := strings.Split(config.Schedule, ",")
	for _, method := range config.Methods {
		if len(schedules) == 1 {
			methods = append(methods, method)
			continue
		}
		for _, schedule := range schedules {
			methods = append(methods, method+"@"+schedule)
		}
	}
	known := map[string]bool{}
	for _, method := range methods {
		known[method] = true
	}
	for _, t := range all {
		if !known[t.Method] {
			known[t.Method] = true
			methods = append(methods, t.Method)
		}
	}
	return methods
}

// choose takes those of a method's trials that make its line, none if it has
// not begun: those with the learning rate of the result, else with that of its
// final trials, else the one that tuning started last. Where a seed has a trial
// of both phases, they are the same numbers.
func choose(method string, all []store.Trial, chosen map[string]float64) trials {
	if len(all) == 0 {
		return trials{method: method}
	}
	rate, found := chosen[method]
	for _, t := range all {
		if !found && t.Phase == store.Final {
			rate, found = t.LearningRate, true
		}
	}
	if newest := all[len(all)-1]; !found {
		return trials{method, newest.LearningRate, true, []store.Trial{newest}}
	}
	bySeed := map[uint64]store.Trial{}
	for _, t := range all {
		if t.LearningRate == rate {
			if _, has := bySeed[t.Seed]; !has || t.Phase == store.Final {
				bySeed[t.Seed] = t
			}
		}
	}
	g := trials{method: method, rate: rate}
	for _, t := range bySeed {
		g.of = append(g.of, t)
	}
	slices.SortFunc(g.of, func(a, b store.Trial) int { return cmp.Compare(a.Seed, b.Seed) })
	return g
}

// pending tells whether there may be more to come of a line.
func (s *subject) pending(g trials) bool {
	return s.run.State == store.Running && (len(g.of) == 0 ||
		slices.ContainsFunc(g.of, func(t store.Trial) bool { return t.State == store.Running }))
}

// among tells whether a trial of the line is among some, which are sorted.
func (g trials) among(sorted []int64) bool {
	return slices.ContainsFunc(g.of, func(t store.Trial) bool {
		_, found := slices.BinarySearch(sorted, t.ID)
		return found
	})
}

// key names a line in addresses: it is the same for the whole life of a run.
func (s *subject) key(g trials) string { return fmt.Sprintf("%d:%s", s.run.ID, g.method) }

// name is what the legend says of a line.
func (s *subject) name(g trials, several bool) string {
	name := g.method
	if g.tuning {
		name = fmt.Sprintf("%s, tuning at %.3g", name, g.rate)
	}
	if several {
		name = fmt.Sprintf("run %d: %s", s.run.ID, name)
	}
	return name
}
