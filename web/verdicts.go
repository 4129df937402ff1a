package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
	"github.com/descentml/descent/web/picture"
	"github.com/descentml/descent/web/verdict"
)

// verdicts are the claims of a study as far as a run got.
type verdicts struct {
	Run    store.Run
	Config study.Config
	Claims []verdict.Claim
	Tally  verdict.Tally
}

// Command repeats the run.
func (v verdicts) Command() string { return study.Command(v.Config) }

// Counts reports whether verdicts of the run's size are worth publishing.
func (v verdicts) Counts() bool { return v.Config.Preset != study.Smoke }

// readVerdicts reads a run of a study.
func (s *Server) readVerdicts(ctx context.Context, definition *study.Study, run store.Run) (*verdicts, error) {
	config, err := study.ReadConfig(run)
	if err != nil {
		return nil, err
	}
	v := &verdicts{Run: run, Config: config}
	switch run.State {
	case store.Done:
		report, err := study.ReadReport(run)
		if err != nil {
			return nil, err
		}
		v.Claims = verdict.Judged(report)
	default:
		results, err := study.Read(ctx, s.store, run)
		if err != nil {
			return nil, err
		}
		state := verdict.NotMeasured
		if run.State == store.Running {
			state = verdict.Measuring
		}
		v.Claims = verdict.UnderWay(definition, results, state)
	}
	v.Tally = verdict.Count(v.Claims)
	return v, nil
}

// studyRuns lists the recorded runs of each paper's study, the newest first.
// It reads all of them, at most once a second however often pages are asked
// for, and not to be changed.
func (s *Server) studyRuns(ctx context.Context) (map[string][]store.Run, error) {
	version, err := s.store.Version(ctx)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // others may wait for the same
	return s.studies.get(fmt.Sprint(version, " ", time.Now().Unix()), func() (map[string][]store.Run, error) {
		runs, err := s.store.Runs(ctx, store.Filter{Kind: study.Kind})
		if err != nil {
			return nil, err
		}
		of := map[string][]store.Run{}
		for _, run := range runs {
			config, err := study.ReadConfig(run)
			if err != nil {
				return nil, err
			}
			of[config.Paper] = append(of[config.Paper], run)
		}
		return of, nil
	})
}

// counted is the run whose verdicts are shown for a paper: the newest finished
// one of the full preset, else of quick. Smoke runs are too small to say
// anything.
func counted(runs []store.Run) (best store.Run, ok bool) {
	rank := slices.Index(study.Presets(), study.Smoke)
	for _, run := range runs {
		config, err := study.ReadConfig(run)
		if err != nil || run.State != store.Done {
			continue
		}
		if r := slices.Index(study.Presets(), config.Preset); r > rank {
			best, rank, ok = run, r, true
		}
	}
	return best, ok
}

// definitionOf makes the study of a paper: a new one for every request, since
// studies may keep what they computed. It returns false while it is planned.
func definitionOf(paper string) (*study.Study, bool) {
	_, definition, err := catalogue.Find(paper)
	return definition, err == nil && definition != nil
}

// standing is what is known of a paper's claims: the verdicts that count, else
// the claims alone; nil for a paper whose study is planned.
func (s *Server) standing(ctx context.Context, paper string, runs []store.Run) (*verdicts, error) {
	definition, ok := definitionOf(paper)
	if !ok {
		return nil, nil
	}
	if run, ok := counted(runs); ok {
		v, err := s.readVerdicts(ctx, definition, run)
		return v, withPaper(paper, err)
	}
	claims := verdict.Defined(definition, verdict.NotMeasured)
	config := study.Config{Paper: paper, Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, study.Quick.DefaultSeeds())}
	return &verdicts{Config: config, Claims: claims, Tally: verdict.Count(claims)}, nil
}

func withPaper(paper string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("the verdicts of %s: %w", paper, err)
}

// drawStudy draws the tables and figures of a finished run of a study, which do
// not change. It returns none if the study no longer understands what the run
// recorded.
func (s *Server) drawStudy(ctx context.Context, definition *study.Study, run store.Run) ([]picture.Section, error) {
	ctx = context.WithoutCancel(ctx) // others may wait for the same
	return s.drawn.get(strconv.FormatInt(run.ID, 10), func() ([]picture.Section, error) {
		results, err := study.Read(ctx, s.store, run)
		if err != nil {
			return nil, err
		}
		sections, ok := trySections(definition, results)
		if !ok {
			return nil, nil
		}
		return picture.Sections("section", sections)
	})
}

// trySections asks a study for its sections. A run that an older version
// recorded may lack what the study of today looks for.
func trySections(definition *study.Study, results *study.Results) (sections []report.Section, ok bool) {
	defer func() {
		if recover() != nil {
			sections, ok = nil, false
		}
	}()
	return definition.Sections(results), true
}
