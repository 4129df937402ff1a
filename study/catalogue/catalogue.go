// Package catalogue lists the papers of Descent: what each is for and claims,
// the words by which it is found, and its study where there is one.
//
// The texts are our own. A new paper is an entry in the file of its theme; a
// new study is a line in registry.go.
package catalogue

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/internal/nearest"
	"github.com/descentml/descent/study"
)

// Entry is a paper in the catalogue.
type Entry struct {
	study.Paper
	// Keywords are what people call the subject beside the words of the texts.
	Keywords []string `json:"keywords"`
	State    State    `json:"state"`
	// Study makes the study of the paper; nil while it is planned.
	Study func() *study.Study `json:"-"`
}

// State says whether a paper's study exists.
type State string

// The states of a paper.
const (
	Planned State = "planned" // no study yet
	Done    State = "done"    // its study can be run
)

// Papers lists all papers, neighbours in theme together. The caller may change
// the list.
func Papers() []Entry { return withStudies(studies) }

// withStudies lists the papers with the studies of a registry.
func withStudies(registry map[string]func() *study.Study) []Entry {
	all := slices.Concat(firstOrder, curvature, beyondOneLoss, landscape, fleet, sequence, learner)
	for i := range all {
		e := &all[i]
		e.Keywords = slices.Clone(e.Keywords)
		e.Study, e.State = registry[e.Name], Planned
		if e.Study != nil {
			e.State = Done
		}
	}
	return all
}

// Lookup returns the paper of a name. The error for an unknown name proposes
// the nearest one.
func Lookup(name string) (Entry, error) { return lookup(Papers(), name) }

func lookup(entries []Entry, name string) (Entry, error) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, unknown(entries, name)
	}
	return entries[i], nil
}

// Find is [Lookup] for those who run studies: it returns the paper and makes
// its study, which is nil while it is planned.
func Find(name string) (study.Paper, *study.Study, error) {
	e, err := Lookup(name)
	if err != nil || e.Study == nil {
		return e.Paper, nil, err
	}
	return e.Paper, e.Study(), nil
}

// unknown is the error for a name that no paper has.
func unknown(entries []Entry, name string) error {
	if near := nearest.Name(name, names(entries)); near != "" {
		return fmt.Errorf("there is no paper %q: did you mean %s?", name, near)
	}
	return fmt.Errorf("there is no paper %q: expected one that `descent papers` lists", name)
}

func names(entries []Entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name
	}
	return list
}
