// Package nearest finds the name that someone who mistyped one probably meant.
package nearest

import "strings"

// longest is the length in bytes beyond which a name is not compared: the
// comparison takes time proportional to the product of both lengths.
const longest = 64

// Name returns the candidate with the smallest edit distance to name, letter
// case ignored, or "" if none is within a third of name's length (and at least
// within 1). The first of equally near candidates wins.
func Name(name string, candidates []string) string {
	best, allowed := "", max(1, len(name)/3)
	if len(name) > longest {
		return ""
	}
	for _, candidate := range candidates {
		if len(candidate) > longest {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if d < allowed || d == allowed && best == "" {
			best, allowed = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two strings in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0] // the distance of a[:i] and b[:j]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
