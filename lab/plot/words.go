package plot

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// longestText is the number of characters of a drawn text before its width is
// looked at.
const longestText = 200

// clean returns the figure with every text on one line and without characters
// that XML forbids. The caller's slices stay as they are.
func (f Figure) clean() Figure {
	f.Title, f.Caption, f.ChosenName = cleanText(f.Title), cleanText(f.Caption), cleanText(f.ChosenName)
	f.X.Label, f.Y.Label = cleanText(f.X.Label), cleanText(f.Y.Label)
	f.Lines = slices.Clone(f.Lines)
	for i := range f.Lines {
		f.Lines[i].Name = cleanText(f.Lines[i].Name)
	}
	f.Horizontal, f.Vertical = cleanRules(f.Horizontal), cleanRules(f.Vertical)
	return f
}

func cleanRules(rules []Rule) []Rule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Name = cleanText(rules[i].Name)
	}
	return rules
}

func cleanText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, s)
}

// fit cuts the middle out of s until it is no wider than width.
func fit(style text.Style, s string, width vg.Length) string {
	characters := []rune(s)
	if len(characters) <= longestText && style.Width(s) <= width {
		return s
	}
	limit := min(len(characters), longestText)
	cut := sort.Search(limit, func(n int) bool {
		return style.Width(abridge(characters, limit-n)) <= width
	})
	return abridge(characters, limit-cut)
}

// abridge keeps n characters of s, half from each end, around an ellipsis.
func abridge(s []rune, n int) string {
	head := (n + 1) / 2
	return string(s[:head]) + "…" + string(s[len(s)-(n-head):])
}
