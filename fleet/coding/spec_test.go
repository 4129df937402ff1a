package coding_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/coding"
)

// The loads that the paper's experiments give, and the limits of the formula.
func TestLoads(t *testing.T) {
	for text, want := range map[string]float64{
		"uncoded":                     1. / 256,
		"ignore":                      1. / 256,
		"gc:s=15":                     16. / 256,
		"sr-sgc:B=2,W=3,lambda=23":    13. / 256,
		"m-sgc:B=1,W=2,lambda=27":     0.00754310,
		"m-sgc:B=1,W=2,lambda=24":     0.00751202,
		"m-sgc-rep:B=1,W=2,lambda=31": 32 * 2. / (256 * (1 + 32)),
		"m-sgc:B=2,W=5,lambda=256":    6. / (256 * 4),
	} {
		s := parse(t, text)
		if got := s.Load(256); math.Abs(got-want) > 5e-9 {
			t.Errorf("%s: load %.8f, want %.8f", text, got, want)
		}
		if err := s.Check(256); err != nil {
			t.Error(err)
		}
	}
	if s := parse(t, "sr-sgc:B=2,W=3,lambda=23"); s.Strength() != 12 || s.Delay() != 2 {
		t.Errorf("%s: s %d, T %d, want 12 and 2", s, s.Strength(), s.Delay())
	}
	if s := parse(t, "m-sgc:B=2,W=5,lambda=3"); s.Delay() != 5 {
		t.Errorf("%s: T %d, want 5", s, s.Delay())
	}
	// With W-1 = xB, s is ceil(lambda/(x+1)).
	for x := 1; x <= 4; x++ {
		for b := 1; b <= 4; b++ {
			for lambda := range 30 {
				s := coding.Spec{Kind: coding.SRSGC, B: b, W: x*b + 1, Lambda: lambda}
				if got, want := s.Strength(), (lambda+x)/(x+1); got != want {
					t.Errorf("%s: s %d, want %d", s, got, want)
				}
			}
		}
	}
}

// No load is below the bound, M-SGC reaches it for lambda n-1, n and 0 alone, and
// the gap halves with W.
func TestLeastLoad(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for w := 2; w <= 8; w++ {
			for b := 1; b < w; b++ {
				for lambda := 0; lambda <= n; lambda++ {
					s := coding.Spec{Kind: coding.MSGC, B: b, W: w, Lambda: lambda}
					gap := s.Load(n) - coding.LeastLoad(n, b, w, lambda)
					tight := lambda == n || lambda == n-1 || lambda == 0
					if gap < -1e-12 || (math.Abs(gap) <= 1e-12) != tight {
						t.Errorf("%s with %d workers: %g above the bound", s, n, gap)
					}
				}
			}
		}
	}
	for w, want := range map[int]float64{4: .0278, 8: .0126, 16: .0060, 32: .0029} {
		s := coding.Spec{Kind: coding.MSGC, B: 3, W: w, Lambda: 4}
		if got := s.Load(20) - coding.LeastLoad(20, 3, w, 4); math.Abs(got-want) > 5e-5 {
			t.Errorf("W = %d: gap %.5f, want %.4f", w, got, want)
		}
	}
	// The formula's value where B > W, which no scheme has.
	outside := coding.Spec{Kind: coding.MSGC, B: 3, W: 2, Lambda: 4}
	if got := outside.Load(20) - coding.LeastLoad(20, 3, 2, 4); math.Abs(got-.0662) > 5e-5 {
		t.Errorf("W = 2: gap %.5f, want .0662", got)
	}
	if !math.IsInf(coding.LeastLoad(4, 2, 1, 4), 1) {
		t.Error("all workers late for ever: expected no finite load")
	}
}

func parse(t testing.TB, text string) coding.Spec {
	t.Helper()
	s, err := coding.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseSpecRejects(t *testing.T) {
	for text, expected := range map[string]string{
		"":                             "starts with no name",
		"gc":                           "expected s",
		"mgc:s=1":                      `unknown scheme "mgc"`,
		"msgc:B=1,W=2,lambda=3":        `did you mean "m-sgc"?`,
		"gc:s=-1":                      "at least 0",
		"gc:s=x":                       `option "s" is "x"`,
		"gc:s=1,s=2":                   "set twice",
		"gc:s=1,W=2":                   `unknown option "W"`,
		"uncoded:s=1":                  "expected none",
		"ignore:s=1":                   "expected none",
		"m-sgc:B=2,W=3":                "expected B, W, lambda",
		"m-sgc:B=3,W=3,lambda=1":       "1 <= B < W",
		"m-sgc:B=0,W=3,lambda=1":       "at least 1",
		"sr-sgc:B=2,W=4,lambda=1":      "B divides W-1",
		"gc:s=99999999":                "at most",
		"m-sgc:b=1,W=2,lambda=3":       `did you mean "B"?`,
		"gc:s=99999999999999999999999": "at least 0",
	} {
		if s, err := coding.ParseSpec(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%q: %v, %v, expected an error with %q", text, s, err, expected)
		}
	}
	for text, workers := range map[string]int{
		"gc:s=4": 4, "gc-rep:s=2": 8, "m-sgc:B=1,W=2,lambda=9": 8, "m-sgc-rep:B=1,W=2,lambda=2": 8, "sr-sgc:B=1,W=2,lambda=9": 8, "uncoded": 0,
	} {
		if err := parse(t, text).Check(workers); err == nil || !strings.Contains(err.Error(), "workers") {
			t.Errorf("%s with %d workers: %v", text, workers, err)
		}
		if _, err := coding.New(parse(t, text), workers, 3); err == nil {
			t.Errorf("%s with %d workers was made", text, workers)
		}
	}
	if _, err := coding.New(parse(t, "uncoded"), 2, 0); err == nil {
		t.Error("a scheme for no jobs was made")
	}
}

func TestSplitList(t *testing.T) {
	got := coding.SplitList("gc:s=15, m-sgc:B=1,W=2,lambda=27,uncoded,sr-sgc,m-sgc-rep:B=1:W=2:lambda=3")
	if want := "[gc:s=15 m-sgc:B=1,W=2,lambda=27 uncoded sr-sgc m-sgc-rep:B=1:W=2:lambda=3]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for text, want := range map[string]bool{"gc": false, "uncoded": true, "ignore": true, "gc:s=3": true} {
		if s, chosen, err := coding.ParseNamed(text); err != nil || chosen != want || chosen && s.String() != text {
			t.Errorf("%q: %v, %v, %v", text, s, chosen, err)
		}
	}
	for text, want := range map[string]coding.WaitOut{"all": coding.All, "in-order": coding.InOrder} {
		if w, err := coding.ParseWaitOut(text); err != nil || w != want || w.String() != text {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
	if _, err := coding.ParseWaitOut("none"); err == nil {
		t.Error("a rule without a meaning was read")
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, name := range coding.Names() {
		f.Add(name + ":s=1")
		f.Add(name + ":B=1,W=2,lambda=3")
	}
	f.Add("uncoded")
	f.Add("ignore")
	f.Add("gc::s=,")
	f.Fuzz(func(t *testing.T, text string) {
		for _, part := range coding.SplitList(text) {
			s, err := coding.ParseSpec(part)
			if err != nil {
				continue
			}
			again, err := coding.ParseSpec(s.String())
			if err != nil || again != s {
				t.Fatalf("%q was read as %v, which reads as %v, %v", part, s, again, err)
			}
			if load := s.Load(64); s.Check(64) == nil && !(load >= 1./64-1e-15 && load <= 1+1e-12) {
				t.Fatalf("%v: load %g", s, load)
			}
		}
	})
}
