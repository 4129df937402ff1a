package web

import (
	"context"
	"net/http"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
	"github.com/descentml/descent/web/verdict"
)

type homeView struct {
	Papers   int // in the catalogue
	Studies  int // that can be run
	Measured int // of them, that have verdicts
	Tally    verdict.Tally
	Scores   []score
	AtWork   []store.Run
	Recent   []store.Run
	Dir      string // of the store
}

// score is a study on the first page.
type score struct {
	study.Paper
	Tally verdict.Tally
}

// recentRuns is how many runs the first page lists.
const recentRuns = 6

func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	v, err := s.overview(r.Context())
	if err != nil {
		return err
	}
	return s.respond(w, r, "home", view{Title: "Descent", Data: v}, map[string]any{
		"papers": v.Papers, "studies": v.Studies, "studies_measured": v.Measured, "verdicts": v.Tally,
		"at_work": runLines(v.AtWork), "recent": runLines(v.Recent),
	})
}

func (s *Server) overview(ctx context.Context) (*homeView, error) {
	v := &homeView{Papers: len(catalogue.Papers()), Dir: s.store.Dir()}
	var err error
	if v.AtWork, err = s.store.Runs(ctx, store.Filter{State: store.Running, Limit: recentRuns}); err != nil {
		return nil, err
	}
	if v.Recent, err = s.store.Runs(ctx, store.Filter{Limit: recentRuns}); err != nil {
		return nil, err
	}
	runs, err := s.studyRuns(ctx)
	if err != nil {
		return nil, err
	}
	for _, entry := range catalogue.Papers() {
		known, err := s.standing(ctx, entry.Name, runs[entry.Name])
		if err != nil {
			return nil, err
		}
		if known == nil {
			continue
		}
		v.Studies++
		v.Scores = append(v.Scores, score{entry.Paper, known.Tally})
		if known.Run.ID == 0 {
			continue
		}
		v.Measured++
		v.Tally.Reproduced += known.Tally.Reproduced
		v.Tally.NotReproduced += known.Tally.NotReproduced
		v.Tally.NotTestable += known.Tally.NotTestable
	}
	return v, nil
}
