// Package studytest runs studies in tests.
package studytest

import (
	"testing"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
)

// Measure runs a study in a new store with the given number of workers, as
// `descent study run` does, and returns what it found. A failure ends the test.
// With -short the test is skipped.
func Measure(t testing.TB, s *study.Study, setup study.Setup, workers int) *study.Results {
	t.Helper()
	if testing.Short() {
		t.Skip("not with -short: it runs a study")
	}
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w, err := st.Create(t.Context(), study.Kind, s.Paper, study.Config{Paper: s.Paper, Preset: setup.Preset, Seeds: setup.Seeds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	results, err := study.Run(t.Context(), s, setup, w, st, workers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// Verdicts are those of a study's claims by their ids.
func Verdicts(s *study.Study, r *study.Results) map[string]study.Verdict {
	list := map[string]study.Verdict{}
	for _, c := range s.Judge(r).Claims {
		list[c.ID] = c.Verdict
	}
	return list
}
