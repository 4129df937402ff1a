package web

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/descentml/descent/web/picture"
)

// functions are what templates can call.
var functions = template.FuncMap{
	"date":     date,
	"datetime": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"digits":   digits,
	"duration": duration,
	"figure":   picture.SVG,
	"millis":   millis,
	"plural":   plural,
	"slug":     slug,

	"hasSuffix": strings.HasSuffix,
	"mod8":      func(slot int) int { return (slot-1)%8 + 1 },
	"split":     strings.Fields,
}

// date is a time as people read it, in this machine's zone.
func date(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// duration writes seconds: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
func duration(seconds float64) string {
	whole := int(math.Round(seconds))
	switch {
	case math.IsNaN(seconds) || seconds < 0:
		return "unknown"
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case whole < 60:
		return fmt.Sprintf("%d s", whole)
	case whole < 3600:
		return fmt.Sprintf("%d min %d s", whole/60, whole%60)
	}
	return fmt.Sprintf("%d h %d min", whole/3600, whole%3600/60)
}

// millis writes seconds that are mostly less than one: "3.2 ms", "1.4 s".
func millis(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.3g ms", 1e3*seconds)
	}
	return duration(seconds)
}

// digits writes a number in four digits, and a dash where there is none.
func digits(x *float64) string {
	if x == nil {
		return "–"
	}
	return fmt.Sprintf("%.4g", *x)
}

// plural is a count with its noun: "1 claim", "3 claims".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, many(noun))
}

func many(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return stem + "ies"
	}
	return noun + "s"
}

// sentence is the message of an error as the beginning of a sentence.
func sentence(err error) string {
	text := err.Error()
	if text == "" {
		return text
	}
	return strings.TrimRight(strings.ToUpper(text[:1])+text[1:], ".?")
}

// slug makes a text fit for a class in HTML.
func slug(text any) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, fmt.Sprint(text))
}
