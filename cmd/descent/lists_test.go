package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLists(t *testing.T) {
	for command, want := range map[string]string{"methods": "diffgrad", "data": "breast-cancer", "models": "cnn"} {
		if text := succeed(t, command).stdout; !strings.Contains(text, want) {
			t.Errorf("%s does not list %s:\n%s", command, want, text)
		}
		var entries []map[string]any
		if err := json.Unmarshal([]byte(succeed(t, command, "--json").stdout), &entries); err != nil || len(entries) < 3 {
			t.Errorf("%s --json: %d entries, %v", command, len(entries), err)
		}
		for _, entry := range entries {
			if entry["name"] == nil || entry["summary"] == nil {
				t.Errorf("%s --json: entry %v lacks a name or a summary", command, entry)
			}
		}
	}
}

func TestRunsListsWhatWasDone(t *testing.T) {
	dir := t.TempDir()
	if text := succeed(t, "runs", "--store", dir).stdout; !strings.Contains(text, "No runs yet") {
		t.Errorf("an empty store shows %q", text)
	}
	succeed(t, small(dir)...)
	var runs []runLine
	if err := json.Unmarshal([]byte(succeed(t, "runs", "--store", dir, "--json").stdout), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].State != "done" || runs[0].Kind != "compare" || !strings.Contains(runs[0].Name, "iris") {
		t.Errorf("runs %+v, want one comparison on iris that is done", runs)
	}
}

func TestHelpHasExamples(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Example == "" && c.Name() != "version" {
			t.Errorf("%s has no example in its help", c.Name())
		}
	}
}

func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"compare --methods ": "diffgrad", "train --method ": "adamw", "compare --data ": "breast-cancer",
		"train --schedule ": "cosine", "compare --model ": "cnn", "compare --dtype ": "float64", "sh": "show",
	} {
		words := strings.Split(line, " ")
		if text := succeed(t, append([]string{"__complete"}, words...)...).stdout; !strings.Contains(text, want) {
			t.Errorf("%q is not completed with %s: %s", line, want, text)
		}
	}
}
