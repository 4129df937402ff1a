package refine_test

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule/refine"
)

// What is written is read back with the same bits.
func TestFilesKeepEveryBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.schedule")
	rapid.Check(t, func(t *rapid.T) {
		norms := rapid.SliceOfN(rapid.Float64Range(1e-9, 1e9), 1, 50).Draw(t, "norms")
		curve, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq, Tau: 0.25})
		if err != nil {
			t.Fatal(err)
		}
		curve.Origin = rapid.String().Draw(t, "origin")
		if err := curve.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := refine.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		curve.Origin = strings.ToValidUTF8(curve.Origin, "\uFFFD")
		if !reflect.DeepEqual(got, curve) {
			t.Fatalf("read %+v, wrote %+v", got, curve)
		}
	})
}

const wellFormed = `{"format":"descent schedule","version":1,"variant":"l1","tau":0.1,"steps":2,"factors":[1,0.5,0]}`

func TestReadRejects(t *testing.T) {
	if _, err := refine.Read(strings.NewReader(wellFormed), "good"); err != nil {
		t.Fatal(err)
	}
	for expected, change := range map[string][2]string{
		`format "a model": expected "descent schedule"`:  {"descent schedule", "a model"},
		"version 2: expected 1":                          {`"version":1`, `"version":2`},
		`variant "l3": expected l2sq or l1`:              {"l1", "l3"},
		"tau 2: expected 0 to 1":                         {"0.1", "2"},
		"0 steps: expected 1 to":                         {`"steps":2,`, ""},
		"3 factors for 3 steps: expected one more":       {`"steps":2`, `"steps":3`},
		"factor 1.5 at step 1: expected 0 to 1":          {"0.5", "1.5"},
		"factor -0.5 at step 1":                          {"0.5", "-0.5"},
		"all factors are 0":                              {"[1,0.5,0]", "[0,0,0]"},
		"factors have null: expected numbers":            {"0.5", "null"},
		"0 factors for 2 steps":                          {`,"factors":[1,0.5,0]`, ""},
		`unknown field "factor"`:                         {"factors", "factor"},
		"expected nothing after the schedule":            {"[1,0.5,0]}", "[1,0.5,0]} {}"},
		"expected what `descent schedule refine` writes": {wellFormed, "step,factor\n0,1\n"},
	} {
		text := strings.Replace(wellFormed, change[0], change[1], 1)
		if _, err := refine.Read(strings.NewReader(text), "bad.schedule"); err == nil ||
			!strings.Contains(err.Error(), expected) || !strings.Contains(err.Error(), "schedule bad.schedule: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, expected one with %q", text, err, expected)
		}
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.schedule")
	if _, err := refine.ReadFile(path); err == nil || !strings.Contains(err.Error(), "there is no schedule file "+path) {
		t.Errorf("error %v", err)
	}
	bad := &refine.Curve{Variant: refine.L1, Factors: []float64{1, math.NaN()}}
	if err := bad.WriteFile(path); err == nil || !strings.Contains(err.Error(), "factor NaN at step 1") {
		t.Errorf("a NaN was written: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a failed write left a file: %v", err)
	}
	if err := (&refine.Curve{}).WriteFile(path); err == nil {
		t.Error("an empty curve was written")
	}
}

func TestEmptyCurve(t *testing.T) {
	var c refine.Curve
	if c.At(3, 10) != 0 || c.Peak() != 0 {
		t.Errorf("an empty curve has the factor %g and its peak at %d", c.At(3, 10), c.Peak())
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{wellFormed, `{}`, `[]`, `null`, strings.Replace(wellFormed, "0.5", "5e-324", 1)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		curve, err := refine.Read(strings.NewReader(text), "fuzz")
		if (curve == nil) == (err == nil) {
			t.Fatalf("neither or both of a curve and an error %v", err)
		}
		if err != nil {
			return
		}
		for _, total := range []int{1, curve.Steps(), 7} {
			for step := range min(total, 100) + 1 {
				if x := curve.At(step, total); !(0 <= x && x <= 1) {
					t.Fatalf("factor %g at step %d of %d", x, step, total)
				}
			}
		}
		path := filepath.Join(t.TempDir(), "again")
		if err := curve.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		again, err := refine.ReadFile(path)
		if err != nil || !reflect.DeepEqual(again.Factors, curve.Factors) {
			t.Fatalf("written and read again it is another: %v", err)
		}
	})
}
