package catalogue

import (
	"strings"
	"unicode"
)

// plain maps the accented letters of the catalogue to those on any keyboard.
var plain = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ñ", "n", "ä", "a", "ö", "o", "ü", "u", "ç", "c", "'s", "", "’s", "")

// split returns the words of a text in lower case. Words that hyphens join
// also count as one: "fine-tuned" is found as fine, tuned and finetuned.
func split(text string) []string {
	var words []string
	for _, compound := range strings.FieldsFunc(plain.Replace(strings.ToLower(text)), func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		parts := strings.FieldsFunc(compound, func(r rune) bool { return r == '-' })
		words = append(words, parts...)
		if len(parts) > 1 {
			words = append(words, strings.Join(parts, ""))
		}
	}
	return words
}

// stopWords say nothing of a subject. Those after the line break are what
// people wrap around a question.
var stopWords = set(`a an and are as at be been but by can cannot could did do does doing don for from had has have
	he her his how i if in into is it its just me more most much my no not of off on one or our out over s she should so
	some such t than that the their them then there these they this those to too up us very was we were what when where
	which while who whose why will with would you your without within after again before between during each all any both
	about also another because being down few other others same under until
	best better good need needs get gets getting use used uses using want wants way ways thing things try tries help
	work works working please find finds`)

func set(words string) map[string]bool {
	s := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		s[word] = true
	}
	return s
}

// suffixes are tried from the top and replaced by what follows the arrow, as
// long as enough of the word is left.
var suffixes = []struct {
	suffix, to string
	left       int // letters that must be left before the suffix
}{
	// British and American spelling, and all forms of one verb: optimise,
	// optimizer, optimization.
	{"isation", "iz", 3}, {"ization", "iz", 3}, {"ising", "iz", 3}, {"izing", "iz", 3},
	{"iser", "iz", 3}, {"izer", "iz", 3}, {"ised", "iz", 3}, {"ized", "iz", 3}, {"ise", "iz", 3}, {"ize", "iz", 3},
	{"ability", "abl", 2}, {"ibility", "ibl", 2},
	{"sses", "ss", 1}, {"ies", "y", 2}, {"ches", "ch", 2}, {"shes", "sh", 2}, {"xes", "x", 2},
	{"ss", "ss", 0}, {"us", "us", 0}, {"is", "is", 0}, // no plurals
	{"s", "", 3},
	{"ness", "", 4}, {"ment", "", 4}, {"ence", "", 4}, {"ance", "", 4}, {"ent", "", 5}, {"ant", "", 5},
	{"ing", "", 3}, {"ed", "", 3}, {"er", "", 4}, {"ly", "", 4}, {"est", "", 4},
	{"tion", "t", 3}, {"sion", "s", 3}, {"e", "", 3}, {"y", "i", 3},
}

// stem cuts the endings of an English word, so that its forms coincide. What
// is left need not be a word.
func stem(word string) string {
	for {
		cut := cutSuffix(word)
		if cut == word {
			return word
		}
		word = cut
	}
}

// cutSuffix replaces the first suffix that fits and makes a doubled consonant
// at the new end single: pruning, stopped.
func cutSuffix(word string) string {
	for _, s := range suffixes {
		rest, ok := strings.CutSuffix(word, s.suffix)
		if !ok || len(rest) < s.left {
			continue
		}
		if n := len(rest); s.to == "" && n > 3 && rest[n-1] == rest[n-2] && !strings.ContainsRune("aeouls", rune(rest[n-1])) {
			rest = rest[:n-1]
		}
		return rest + s.to
	}
	return word
}

// oneTypo reports whether b becomes a by one letter changed, added or left
// out, or by two neighbours swapped. (An edit distance counts the swap twice,
// and swaps are the commonest slip of fast typing.)
func oneTypo(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	switch {
	case len(a)+len(b) <= 1, len(a) == 1 && len(b) == 1:
		return true
	case len(a) == 2 && len(b) == 2:
		return a[0] == b[1] && a[1] == b[0]
	}
	return false
}
