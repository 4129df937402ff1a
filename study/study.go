// Package study measures what papers claim. A [Study] is one paper's claims
// with the work that measures them; [Run] does the work, records it in a store
// as it happens and judges every claim.
//
// The folders below hold one study each; package catalogue lists all papers.
package study

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/lab/report"
)

// Paper is an entry of the catalogue.
type Paper struct {
	Name    string `json:"name"`            // short, as in `descent study run NAME`
	Title   string `json:"title"`           // as published
	Authors string `json:"authors"`         // as published
	Venue   string `json:"venue"`           // with the year
	ArXiv   string `json:"arxiv,omitempty"` // identifier, "2310.07831"; "" if there is none
	Purpose string `json:"purpose"`         // what it is for, in one line
	Summary string `json:"summary"`         // in our words, two to four sentences
}

// Study is a paper's claims and how they are measured.
type Study struct {
	Paper  string // name in the catalogue
	Claims []Claim
	// Cells plans the work. The cells are independent of each other, so that
	// they can run side by side in any order, and those that a store already
	// holds are not run again. The plan depends on the setup alone.
	Cells func(Setup) ([]Cell, error)
	// Sections are the tables and figures of the report, the paper's central
	// picture first.
	Sections func(*Results) []report.Section
}

// Setup is what a study's work depends on.
type Setup struct {
	Preset  Preset
	Seeds   []uint64 // at least one
	Backend compute.Backend
}

// Preset is how large a study is.
type Preset string

// The presets. Quick and full are what verdicts are published from.
const (
	Smoke Preset = "smoke" // a few seconds, for tests
	Quick Preset = "quick" // at most 60 s on two cores
	Full  Preset = "full"  // at most 15 minutes on two cores
)

// Presets lists the presets, the smallest first.
func Presets() []Preset { return []Preset{Smoke, Quick, Full} }

// ParsePreset returns the preset of a name.
func ParsePreset(name string) (Preset, error) {
	switch p := Preset(name); p {
	case Smoke, Quick, Full:
		return p, nil
	}
	return "", fmt.Errorf("preset %q: expected smoke, quick or full", name)
}

// Seeds returns count seeds from first on. Studies begin at [FirstSeed].
func Seeds(first uint64, count int) []uint64 {
	list := make([]uint64, count)
	for i := range list {
		list[i] = first + uint64(i)
	}
	return list
}

// FirstSeed is the first seed of a study by default: criteria were fixed after
// a look at small seeds, so verdicts rest on others.
const FirstSeed = 1000

// DefaultSeeds is the number of seeds of a preset by default.
func (p Preset) DefaultSeeds() int {
	switch p {
	case Smoke:
		return 1
	case Quick:
		return 3
	}
	return 5
}

// Cell is one piece of work. Name and Seed together are its key.
type Cell struct {
	Name string
	Seed uint64 // 0 for work that has no randomness
	// Run measures. It returns within a second of the end of its context.
	Run func(context.Context) (Measured, error)
}

// Measured is what a cell found.
type Measured struct {
	Values map[string]float64 // named numbers; NaN or infinite where there is none
	Curves map[string]Curve   // named sequences for the figures
}

// Curve is a sequence of points: a loss over iterations, say. X and Y have the
// same length.
type Curve struct{ X, Y []float64 }

// Claim is something that a paper says, with the rule by which it is judged.
type Claim struct {
	ID        string // within the study: letters, digits and dashes
	Central   bool   // the paper stands on it
	Statement string // one sentence
	Figure    string // the paper's figure, "93.9 % against 92.2 %"; "" if it gives none
	Source    string // where the paper has it, "Table 1", or "unverified"
	Measure   string // what is measured here, in one sentence
	Criterion string // when it counts as reproduced, as a formula for readers
	// Judge applies the criterion, which stands in Criterion in words. It must
	// not hold where a number is missing (NaN).
	Judge func(*Results) Finding
	// Untestable says why the claim cannot be tested here; Judge is nil then.
	Untestable string
	// Remark is what a reader has to know to judge the verdict: what was
	// tried where it does not reproduce, what else would explain it. Optional.
	Remark string
}

// Finding is what a claim's rule says of the results.
type Finding struct {
	Ours  string // our figure, with its spread over seeds
	Holds bool
}

// Verdict is the outcome of a claim.
type Verdict string

// The verdicts.
const (
	Reproduced    Verdict = "reproduced"
	NotReproduced Verdict = "not reproduced"
	NotTestable   Verdict = "not testable here"
)

var claimID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Check finds what is wrong with the definition of a study.
func (s *Study) Check() error {
	if s.Cells == nil || s.Sections == nil || len(s.Claims) == 0 {
		return fmt.Errorf("study %s: expected claims, cells and sections", s.Paper)
	}
	var errs []error
	seen := map[string]bool{}
	central := false
	for _, c := range s.Claims {
		central = central || c.Central
		switch {
		case !claimID.MatchString(c.ID) || seen[c.ID]:
			errs = append(errs, fmt.Errorf("study %s: claim id %q: expected a new one of letters, digits and dashes", s.Paper, c.ID))
		case c.Statement == "" || c.Source == "":
			errs = append(errs, fmt.Errorf("study %s: claim %s: expected a statement and a source", s.Paper, c.ID))
		case (c.Judge == nil) == (c.Untestable == ""):
			errs = append(errs, fmt.Errorf("study %s: claim %s: expected either a rule or why it cannot be tested", s.Paper, c.ID))
		case c.Judge != nil && (c.Criterion == "" || c.Measure == ""):
			errs = append(errs, fmt.Errorf("study %s: claim %s: expected what is measured and the criterion", s.Paper, c.ID))
		}
		seen[c.ID] = true
	}
	if !central {
		errs = append(errs, fmt.Errorf("study %s: no claim is central", s.Paper))
	}
	return errors.Join(errs...)
}
