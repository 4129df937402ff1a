package chart

import (
	"fmt"
	"strings"

	"github.com/descentml/descent/lab/store"
)

// absences count the lines that cannot be drawn since their runs do not record
// what the chart shows.
type absences struct {
	of     []subject
	counts map[string][]int // lines of each subject, by what is not recorded
}

func (a *absences) add(what string, subject int) {
	if a.counts == nil {
		a.counts = map[string][]int{}
	}
	if a.counts[what] == nil {
		a.counts[what] = make([]int, len(a.of))
	}
	a.counts[what][subject]++
}

// sentences say who does not record the series, then who lacks another thing
// that the chart needs.
func (a *absences) sentences(series string) []string {
	// Runs that have ended without any trial record nothing at all.
	for i, s := range a.of {
		if len(s.groups) == 0 && s.run.State != store.Running {
			a.add(series, i)
		}
	}
	var all []string
	for _, what := range append([]string{series}, axes[Time], axes[Gradients]) {
		var who []string
		for i, count := range a.counts[what] {
			if count > 0 {
				who = append(who, a.name(i, count))
			}
		}
		if len(who) > 0 {
			all = append(all, capital(list(who))+verb(who)+"no "+what+".")
		}
	}
	return all
}

// name is a run, or some of its lines.
func (a *absences) name(subject, count int) string {
	s := a.of[subject]
	name := fmt.Sprintf("run %d", s.run.ID)
	switch {
	case count >= len(s.groups):
		return name
	case count == 1:
		return "one line of " + name
	}
	return fmt.Sprintf("%d lines of %s", count, name)
}

// verb fits a list of names.
func verb(names []string) string {
	if len(names) == 1 && !strings.Contains(names[0], "lines") {
		return " records "
	}
	return " record "
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// list joins names: "a, b and c".
func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
