// Package verdict is what is known of a study's claims: before it ran, while it
// runs and after.
package verdict

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/study"
)

// Claim is a claim of a paper as a page shows it.
type Claim struct {
	study.Judged
	// State is the verdict, or while there is none Measuring or NotMeasured.
	State string
}

// What stands in place of a verdict.
const (
	Measuring   = "measuring"
	NotMeasured = "not measured yet"
)

// Tally counts the verdicts of a study, in the order in which they are drawn.
type Tally struct {
	Reproduced    int `json:"reproduced"`
	NotReproduced int `json:"not_reproduced"`
	Measuring     int `json:"measuring"`
	Open          int `json:"not_measured"`
	NotTestable   int `json:"not_testable"`
}

// Tested is how many claims have a verdict or will have one.
func (t Tally) Tested() int { return t.Reproduced + t.NotReproduced + t.Measuring + t.Open }

// Short is how many claims are reproduced of those that can be tested.
func (t Tally) Short() string {
	if t.Reproduced+t.NotReproduced+t.Measuring == 0 {
		return "not run"
	}
	return fmt.Sprintf("%d of %d", t.Reproduced, t.Tested())
}

// Words is the tally as a sentence for those who do not see its picture.
func (t Tally) Words() string {
	if t.Reproduced+t.NotReproduced+t.Measuring == 0 {
		return fmt.Sprintf("%d claims, none measured yet", t.Tested()+t.NotTestable)
	}
	words := fmt.Sprintf("%d of %d reproduced", t.Reproduced, t.Tested())
	if t.Measuring > 0 {
		words += fmt.Sprintf(", %d being measured", t.Measuring)
	}
	if t.Open > 0 {
		words += fmt.Sprintf(", %d not measured", t.Open)
	}
	if t.NotTestable > 0 {
		words += fmt.Sprintf(", %d not testable here", t.NotTestable)
	}
	return words
}

// Cells are the claims' states, one for each square of the picture.
func (t Tally) Cells() []string {
	return slices.Concat(
		slices.Repeat([]string{string(study.Reproduced)}, t.Reproduced),
		slices.Repeat([]string{string(study.NotReproduced)}, t.NotReproduced),
		slices.Repeat([]string{Measuring}, t.Measuring),
		slices.Repeat([]string{NotMeasured}, t.Open),
		slices.Repeat([]string{string(study.NotTestable)}, t.NotTestable),
	)
}

// Count counts the verdicts of claims.
func Count(claims []Claim) Tally {
	var t Tally
	for _, c := range claims {
		switch c.State {
		case string(study.Reproduced):
			t.Reproduced++
		case string(study.NotReproduced):
			t.NotReproduced++
		case string(study.NotTestable):
			t.NotTestable++
		case Measuring:
			t.Measuring++
		default:
			t.Open++
		}
	}
	return t
}

// Defined are the claims of a study that has not been run.
func Defined(s *study.Study, state string) []Claim {
	claims := make([]Claim, len(s.Claims))
	for i, c := range s.Claims {
		claims[i] = Claim{State: state, Judged: study.Judged{
			ID: c.ID, Central: c.Central, Statement: c.Statement, Figure: c.Figure, Source: c.Source,
			Measure: c.Measure, Criterion: c.Criterion, Remark: c.Remark, Reason: c.Untestable,
		}}
		if c.Judge == nil {
			claims[i].Verdict, claims[i].State = study.NotTestable, string(study.NotTestable)
		}
	}
	return claims
}

// Judged are the claims of a study that was run to its end.
func Judged(r *study.Report) []Claim {
	claims := make([]Claim, len(r.Claims))
	for i, j := range r.Claims {
		claims[i] = Claim{Judged: j, State: string(j.Verdict)}
	}
	return claims
}

// UnderWay are the claims of a study that is not at its end. A claim that holds
// already is reproduced, since no rule may hold where a number is missing; of
// one that does not hold yet nothing can be said.
func UnderWay(s *study.Study, results *study.Results, state string) []Claim {
	claims := Defined(s, state)
	for i, c := range s.Claims {
		if c.Judge == nil {
			continue
		}
		finding, ok := tryJudge(c, results)
		if ok && finding.Holds {
			claims[i].Ours, claims[i].Verdict, claims[i].State = finding.Ours, study.Reproduced, string(study.Reproduced)
		}
	}
	return claims
}

// tryJudge applies a rule to results that are not complete, on which rules that
// look into missing curves may panic.
func tryJudge(c study.Claim, results *study.Results) (finding study.Finding, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return c.Judge(results), true
}
