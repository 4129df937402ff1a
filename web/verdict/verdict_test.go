package verdict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/descentml/descent/study"
	"github.com/descentml/descent/web/verdict"
)

// claims are one that can be judged early, one that asks for more, one that
// looks into a curve that is not there, and one that cannot be tested.
func claims() *study.Study {
	over := func(least float64) func(*study.Results) study.Finding {
		return func(r *study.Results) study.Finding {
			return study.Finding{Ours: "x", Holds: r.Value("cell", 1000, "x") > least}
		}
	}
	return &study.Study{Paper: "p", Claims: []study.Claim{
		{ID: "early", Central: true, Statement: "s", Figure: "7", Source: "Table 1", Criterion: "above 1", Judge: over(1)},
		{ID: "late", Judge: over(100)},
		{ID: "curve", Judge: func(r *study.Results) study.Finding {
			return study.Finding{Holds: r.Curve("cell", 1000, "c").Y[3] > 0}
		}},
		{ID: "imagenet", Untestable: "too large"},
	}}
}

func states(list []verdict.Claim) string {
	var words []string
	for _, c := range list {
		words = append(words, c.State)
	}
	return strings.Join(words, ", ")
}

// While a study runs, a claim is reproduced once its rule holds; none is called
// not reproduced before the end.
func TestUnderWay(t *testing.T) {
	s := claims()
	results := study.NewResults(study.Setup{Seeds: []uint64{1000}})
	if got := states(verdict.UnderWay(s, results, verdict.Measuring)); got != "measuring, measuring, measuring, not testable here" {
		t.Errorf("before anything is measured: %s", got)
	}
	results.Add("cell", 1000, study.Measured{Values: map[string]float64{"x": 5}})
	list := verdict.UnderWay(s, results, verdict.Measuring)
	if got := states(list); got != "reproduced, measuring, measuring, not testable here" {
		t.Errorf("after the first cell: %s", got)
	}
	if list[0].Ours != "x" || list[1].Ours != "" || !list[0].Central || list[0].Figure != "7" || list[3].Reason != "too large" {
		t.Errorf("the claims are %+v", list)
	}
	tally := verdict.Count(list)
	if tally != (verdict.Tally{Reproduced: 1, Measuring: 2, NotTestable: 1}) || tally.Tested() != 3 {
		t.Errorf("tally %+v", tally)
	}
}

func TestJudged(t *testing.T) {
	report := &study.Report{Claims: []study.Judged{{ID: "a", Verdict: study.Reproduced}, {ID: "b", Verdict: study.NotReproduced}, {ID: "c", Verdict: study.NotTestable}}}
	tally := verdict.Count(verdict.Judged(report))
	if tally != (verdict.Tally{Reproduced: 1, NotReproduced: 1, NotTestable: 1}) {
		t.Errorf("tally %+v", tally)
	}
}

func TestWords(t *testing.T) {
	for want, tally := range map[string]verdict.Tally{
		"3 claims, none measured yet":            {Open: 2, NotTestable: 1},
		"1 of 2 reproduced":                      {Reproduced: 1, NotReproduced: 1},
		"1 of 3 reproduced, 2 being measured":    {Reproduced: 1, Measuring: 2},
		"1 of 3 reproduced, 2 not measured":      {Reproduced: 1, Open: 2},
		"0 of 1 reproduced, 4 not testable here": {NotReproduced: 1, NotTestable: 4},
		"0 of 2 reproduced, 2 being measured":    {Measuring: 2},
	} {
		if got := tally.Words(); got != want {
			t.Errorf("%+v: %q, want %q", tally, got, want)
		}
		if n := len(tally.Cells()); n != tally.Tested()+tally.NotTestable {
			t.Errorf("%+v has %d cells", tally, n)
		}
	}
	if got := (verdict.Tally{Open: 3}).Short(); got != "not run" {
		t.Errorf("short: %q", got)
	}
}

func Example() {
	s := &study.Study{Paper: "p", Claims: []study.Claim{
		{ID: "faster", Judge: func(r *study.Results) study.Finding {
			return study.Finding{Ours: "2.1", Holds: r.Value("time", 1000, "ratio") > 2}
		}},
		{ID: "imagenet", Untestable: "out of reach here"},
	}}
	results := study.NewResults(study.Setup{Seeds: []uint64{1000}})
	fmt.Println(verdict.Count(verdict.UnderWay(s, results, verdict.Measuring)).Words())
	results.Add("time", 1000, study.Measured{Values: map[string]float64{"ratio": 2.1}})
	fmt.Println(verdict.Count(verdict.UnderWay(s, results, verdict.Measuring)).Words())
	// Output:
	// 0 of 1 reproduced, 1 being measured, 1 not testable here
	// 1 of 1 reproduced, 1 not testable here
}
