package catalogue

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The weights of a word by where it stands: as many times it counts.
const (
	nameWeight    = 4
	titleWeight   = 3
	purposeWeight = 3
	keywordWeight = 3
	authorWeight  = 3
	summaryWeight = 1
)

// The constants of BM25 [Robertson and Zaragoza 2009]: how soon repetitions
// stop to count, and how much long texts are held against a paper.
const (
	saturation = 1.5
	lengthBias = 0.3
)

// What a word counts that was completed or corrected, against one that was
// typed as it is.
const (
	completedWeight = 0.6
	correctedWeight = 0.6
)

const (
	// correctable is the number of letters from which a word is corrected:
	// shorter ones have too many neighbours.
	correctable = 5
	// irrelevant is the share of the best score under which a paper is left out.
	irrelevant = 0.2
)

// Search returns the papers that a query is about, the best first; those of
// equal score stand in the order of [Papers]. It looks for the query's words in
// all texts whatever their endings and letter case, takes the last word for one
// that is still being typed unless a space follows, and forgives one typo in
// words of five letters and more. A query without telling words, such as "" or
// "how to", gives all papers.
func Search(query string) []Entry {
	entries := Papers()
	ix := catalogueIndex()
	terms := ix.terms(query)
	if len(terms) == 0 {
		return entries
	}
	scores := make([]float64, len(entries))
	for _, alternatives := range terms {
		for doc := range scores {
			best := 0.0
			for _, a := range alternatives {
				best = max(best, a.weight*ix.score(a.stem, doc))
			}
			scores[doc] += best
		}
	}
	top := slices.Max(scores)
	for doc, e := range entries {
		if typed := strings.TrimSpace(query); strings.EqualFold(typed, e.Title) || strings.EqualFold(typed, e.Name) {
			scores[doc] += top // some titles have few telling words
		}
	}
	var order []int
	for doc, score := range scores {
		if score > 0 && score >= irrelevant*top {
			order = append(order, doc)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	found := make([]Entry, len(order))
	for i, doc := range order {
		found[i] = entries[doc]
	}
	return found
}

// index counts the words of the papers.
type index struct {
	counts []map[string]float64 // per paper: stem to weighted count
	length []float64            // per paper: sum of its counts, relative to the mean
	rarity map[string]float64   // per stem: larger the fewer papers have it
	stems  map[string]string    // per word as written: its stem
	words  []string             // the keys of stems in alphabetical order
}

var catalogueIndex = sync.OnceValue(func() *index { return newIndex(Papers()) })

func newIndex(entries []Entry) *index {
	ix := &index{rarity: map[string]float64{}, stems: map[string]string{}}
	total := 0.0
	for _, e := range entries {
		counts := map[string]float64{}
		length := 0.0
		for _, field := range []struct {
			text   string
			weight float64
		}{
			{e.Name + " " + e.ArXiv, nameWeight}, {e.Title, titleWeight}, {e.Purpose, purposeWeight},
			{strings.Join(e.Keywords, "; "), keywordWeight}, {e.Authors + "; " + e.Venue, authorWeight}, {e.Summary, summaryWeight},
		} {
			for _, word := range split(field.text) {
				if stopWords[word] {
					continue
				}
				s := stem(word)
				ix.stems[word] = s
				counts[s] += field.weight
				length += field.weight
			}
		}
		for s := range counts {
			ix.rarity[s]++ // the number of papers first
		}
		ix.counts = append(ix.counts, counts)
		ix.length = append(ix.length, length)
		total += length
	}
	n := float64(len(entries))
	for s, papers := range ix.rarity {
		ix.rarity[s] = math.Log(1 + (n-papers+0.5)/(papers+0.5))
	}
	for i := range ix.length {
		ix.length[i] *= n / total
	}
	ix.words = slices.Sorted(maps.Keys(ix.stems))
	return ix
}

// score is BM25 of one stem for one paper.
func (ix *index) score(stem string, doc int) float64 {
	count := ix.counts[doc][stem]
	return ix.rarity[stem] * count * (saturation + 1) / (count + saturation*(1-lengthBias+lengthBias*ix.length[doc]))
}

// alternative is a stem for which a word of the query may stand.
type alternative struct {
	stem   string
	weight float64
}

// terms returns, for each telling word of a query, what it may stand for.
func (ix *index) terms(query string) [][]alternative {
	words := split(query)
	last, _ := utf8.DecodeLastRuneInString(query)
	typing := unicode.IsLetter(last) || unicode.IsDigit(last)
	var terms [][]alternative
	seen := map[string]bool{}
	for i, word := range words {
		if stopWords[word] || seen[word] {
			continue
		}
		seen[word] = true
		terms = append(terms, ix.alternatives(word, typing && i == len(words)-1))
	}
	return terms
}

// alternatives are the stem of a word, those of the words that it begins if it
// is still being typed, and if all these are missing, those one typo away.
func (ix *index) alternatives(word string, typing bool) []alternative {
	own := stem(word)
	list := []alternative{{own, 1}}
	known := ix.rarity[own] > 0
	if typing {
		first, _ := slices.BinarySearch(ix.words, word)
		for _, w := range ix.words[first:] {
			if !strings.HasPrefix(w, word) {
				break
			}
			known = true
			list = append(list, alternative{ix.stems[w], completedWeight})
		}
	}
	if known || len(word) < correctable {
		return list
	}
	for _, w := range ix.words {
		s := ix.stems[w]
		if len(w) >= correctable && oneTypo(w, word) || len(s) >= correctable && oneTypo(s, own) {
			list = append(list, alternative{s, correctedWeight})
		}
	}
	return list
}
