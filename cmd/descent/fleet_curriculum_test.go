package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// curriculumLoss trains a small federation and returns its test loss.
func curriculumLoss(t *testing.T, arguments ...string) float64 {
	t.Helper()
	r := federateNow(t.Context(), append([]string{"--store", t.TempDir(), "--data", "digits", "--model", "mlp:8", "--strategy", "fedavg:clients=4",
		"--clients", "10", "--times", "1", "--rounds", "6", "--local-epochs", "2", "--batch-size", "10", "--json"}, arguments...)...)
	if r.code != 0 {
		t.Fatalf("%v: %s", arguments, r.stderr)
	}
	var report struct {
		Results []struct {
			Contributions int64   `json:"contributions"`
			TestLoss      float64 `json:"test_loss"`
		} `json:"results"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Results[0].Contributions == 0 {
		t.Fatalf("%v: no update", arguments)
	}
	return report.Results[0].TestLoss
}

// Every curriculum changes the training but that of vanilla, which is FedAvg to
// the bit: its passes over 107 or 108 examples end in a short batch.
func TestFederateCurriculum(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains several times")
	}
	plain := curriculumLoss(t)
	if vanilla := curriculumLoss(t, "--curriculum", "vanilla"); vanilla != plain {
		t.Errorf("vanilla: loss %g, want FedAvg's %g", vanilla, plain)
	}
	seen := map[float64]string{plain: "none"}
	for _, arguments := range [][]string{
		{"--curriculum", "curriculum:minimum=8"},
		{"--curriculum", "anti:score=local,pacing=sqrt,minimum=8"},
		{"--curriculum", "curriculum:score=expert,minimum=8"},
		{"--client-curriculum", "curriculum:a=0.5"},
		{"--client-curriculum", "anti:score=expert", "--curriculum", "random:minimum=8"},
	} {
		loss, name := curriculumLoss(t, arguments...), strings.Join(arguments, " ")
		if other, same := seen[loss]; same {
			t.Errorf("%s has the loss of %s", name, other)
		}
		seen[loss] = name
	}
}

func TestFederateCurriculumRefuses(t *testing.T) {
	for _, c := range []struct {
		want      string
		arguments []string
	}{
		{"did you mean", []string{"--curriculum", "curiculum"}},
		{`"b"`, []string{"--curriculum", "curriculum:b=2"}},
		{"fedavg:clients=4", []string{"--client-curriculum", "curriculum", "--strategy", "fedfix"}},
		{"own model", []string{"--client-curriculum", "curriculum:score=local", "--strategy", "fedavg:clients=4"}},
		{"by losses", []string{"--curriculum", "curriculum:score=global-error", "--data", "diabetes"}},
	} {
		r := federateNow(t.Context(), append([]string{"--store", t.TempDir()}, c.arguments...)...)
		if r.code == 0 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%v: %q, want %s", c.arguments, r.stderr, c.want)
		}
	}
}
