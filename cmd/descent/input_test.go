package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadInputIsOneSentence(t *testing.T) {
	var zipped bytes.Buffer
	compressor := gzip.NewWriter(&zipped)
	if _, err := compressor.Write([]byte(churn(200))); err != nil {
		t.Fatal(err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	truncated := write(t, "truncated.csv.gz", zipped.String()[:zipped.Len()/2])
	corrupt := t.TempDir()
	if err := os.WriteFile(filepath.Join(corrupt, "descent.db"), bytes.Repeat([]byte("not a database. "), 500), 0o644); err != nil {
		t.Fatal(err)
	}
	line := strings.SplitAfterN(churn(60), "\n", 3)
	mended := func(second string) string { return line[0] + second + "\n" + line[2] }
	for name, test := range map[string]struct {
		arguments []string
		says      []string
	}{
		"classifier on values":   {[]string{"--data", "diabetes", "--model", "linear", "--methods", "sgd,normalized-gd"}, []string{"normalized-gd", "classes"}},
		"missing file":           {[]string{"--data", "nowhere.csv"}, []string{"nowhere.csv"}},
		"mistyped set":           {[]string{"--data", "digit"}, []string{"digits"}},
		"empty file":             {[]string{"--data", write(t, "empty.csv", "")}, []string{"empty.csv"}},
		"header only":            {[]string{"--data", write(t, "header.csv", line[0])}, []string{"header.csv"}},
		"ragged row":             {[]string{"--data", write(t, "ragged.csv", mended("1,monthly,3"))}, []string{"ragged.csv", "2"}},
		"text in numbers":        {[]string{"--data", write(t, "text.csv", mended("0,monthly,many,20,north,no"))}, []string{"text.csv:2", "calls", "many"}},
		"one class":              {[]string{"--data", write(t, "one.csv", "a,b\n1,x\n2,x\n3,x\n4,x\n")}, []string{"class"}},
		"fewer rows than needed": {[]string{"--data", write(t, "few.csv", "a,b\n1,x\n2,y\n3,z\n")}, []string{"class"}},
		"constant features":      {[]string{"--data", write(t, "constant.csv", "a,b\n"+strings.Repeat("1,x\n1,y\n", 20))}, []string{"constant"}},
		"NaN cell":               {[]string{"--data", write(t, "nan.csv", mended("0,monthly,NaN,20,north,no"))}, []string{"nan.csv", "calls", "2"}},
		"Inf cell":               {[]string{"--data", write(t, "inf.csv", mended("0,monthly,Inf,20,north,no"))}, []string{"inf.csv", "calls", "2"}},
		"absent target":          {[]string{"--data", write(t, "target.csv", churn(60)), "--target", "churn"}, []string{"churned"}},
		"unknown method":         {[]string{"--methods", "addam"}, []string{"addam", "adam"}},
		"unknown option":         {[]string{"--methods", "adam:beta3=1"}, []string{"beta3"}},
		"unknown model":          {[]string{"--model", "mpl:64"}, []string{"mpl:64"}},
		"cnn without images":     {[]string{"--data", "iris", "--model", "cnn"}, []string{"cnn", "image"}},
		"unknown schedule":       {[]string{"--schedule", "cosin"}, []string{"cosin"}},
		"unknown backend":        {[]string{"--backend", "abacus"}, []string{"abacus"}},
		"truncated gzip":         {[]string{"--data", truncated, "--target", "churned"}, []string{"truncated"}},
		"corrupt store":          {[]string{"--store", corrupt}, []string{"descent.db"}},
		"shares that do not fit": {[]string{"--test", "0.9", "--validation", "0.2"}, []string{"0.9"}},
		"no length":              {[]string{"--epochs", "0"}, []string{"epochs"}},
		"no place for a report":  {[]string{"--report", filepath.Join(t.TempDir(), "none", "x.html")}, []string{"none"}},
		"Latin-1":                {[]string{"--data", write(t, "latin.csv", "a,b\n"+strings.Repeat("1,\xe9clair\n2,\xe8clair\n", 20))}, []string{"latin.csv:2", "UTF-8"}},
		"one test row":           {[]string{"--data", write(t, "rows.csv", "a,b\n1,2.5\n2,3.5\n3,4.5\n4,5.5\n5,6.5\n"), "--model", "linear"}, []string{"constant", "R²"}},
		"too many seeds":         {[]string{"--seeds", "1000000000000000"}, []string{"10000"}},
		"too many epochs":        {[]string{"--epochs", "4611686018427387904"}, []string{"1000000"}},
		"infinite target loss":   {[]string{"--target-loss", "Inf"}, []string{"finite"}},
		"no seeds":               {[]string{"--seeds", "0"}, []string{"seeds"}},
	} {
		t.Run(name, func(t *testing.T) {
			arguments := append([]string{"compare", "--epochs", "1", "--seeds", "1"}, test.arguments...)
			if name != "corrupt store" {
				arguments = append(arguments, "--store", t.TempDir())
			}
			r := descent(t.Context(), arguments...)
			if r.code != exitFailed {
				t.Fatalf("exit code %d, want %d\n%s", r.code, exitFailed, r.stderr)
			}
			if lines := strings.Count(r.stderr, "\n"); lines != 1 || !strings.HasPrefix(r.stderr, "descent: ") {
				t.Errorf("%d lines on standard error, want one that begins with the name of the command:\n%s", lines, r.stderr)
			}
			for _, want := range test.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("the message lacks %q: %s", want, r.stderr)
				}
			}
			if r.stdout != "" {
				t.Errorf("standard output: %s", r.stdout)
			}
			t.Log(strings.TrimSpace(r.stderr))
		})
	}
}

func TestWrongUsage(t *testing.T) {
	for name, arguments := range map[string][]string{
		"unknown flag":     {"compare", "--epoch", "3"},
		"unknown command":  {"compar"},
		"an argument":      {"compare", "digits"},
		"no run":           {"show"},
		"no model to save": {"train", "--method", "adam"},
		"no data":          {"predict", "--model", "x"},
		"separator":        {"compare", "--separator", "ab"},
		"missing":          {"compare", "--missing", "median"},
		"task":             {"compare", "--task", "clustering"},
		"workers":          {"compare", "--workers", "0"},
		"learning rate":    {"train", "--lr", "fast", "--save", "x"},
	} {
		r := descent(t.Context(), arguments...)
		if r.code != exitUsage || !strings.Contains(r.stderr, "--help") {
			t.Errorf("%s: exit code %d, want %d and a hint at the help:\n%s", name, r.code, exitUsage, r.stderr)
		}
	}
}
