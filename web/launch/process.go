package launch

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// newID names a launch or an upload: it cannot be guessed, and is fit for a
// file name.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// validID is the form of newID.
var validID = regexp.MustCompile(`^[a-z2-7]{16}$`)

// mark tells a process from all later ones that get the same number: the time
// at which it started. It is "" where the system does not say it in /proc, or
// if there is no such process.
func mark(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	// The name of the program stands in parentheses and may hold anything.
	_, after, found := strings.Cut(string(text[max(0, strings.LastIndexByte(string(text), ')')):]), ") ")
	fields := strings.Fields(after)
	const state, start = 0, 19 // of the fields after the name
	if !found || len(fields) <= start || fields[state] == "Z" {
		return ""
	}
	return fields[start]
}

// alive tells whether a process that had a mark is still there. Without a mark
// there is no telling, and it is taken for another one.
func alive(pid int, had string) bool { return had != "" && pid > 0 && mark(pid) == had }
