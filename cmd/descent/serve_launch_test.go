package main

import (
	"net/url"
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/web/launch"
)

// TestFormsOfTheWorkbenchBecomeFlags that this command knows, for a form in
// which every field is filled in.
func TestFormsOfTheWorkbenchBecomeFlags(t *testing.T) {
	uploads, err := launch.NewUploads(t.TempDir(), launch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer uploads.Close()
	form := url.Values{
		"data": {"digits"}, "target": {"--odd name"}, "task": {"classification"}, "missing": {"mean"}, "model": {"mlp:8"}, "dtype": {"float64"},
		"method": {"diffgrad:friction=dfc2"}, "schedule": {"cosine"}, "lr": {"0.25"}, "epochs": {"3"}, "time": {"90s"}, "batch": {"16"},
		"seeds": {"2"}, "seed": {"7"}, "validation": {"0.25"}, "test": {"0.125"}, "target-loss": {"0.5"},
	}
	for kind, build := range map[string]func() *cobra.Command{launch.Compare: newCompare, launch.Train: newTrain} {
		form.Set("kind", kind)
		request := launch.ParseRequest(form)
		words, problems := request.Arguments(uploads, "/store")
		if len(problems) > 0 {
			t.Fatalf("%s: %v", kind, problems)
		}
		c := build()
		if words[0] != c.Name() {
			t.Errorf("%q is not %s", words, c.Name())
		}
		if err := c.ParseFlags(append(slices.Clone(words[1:]), "--store", "/store")); err != nil {
			t.Errorf("%q: %v", words, err)
		}
		if left := c.Flags().Args(); len(left) > 0 {
			t.Errorf("%q leaves %q", words, left)
		}
		for flag, want := range map[string]string{"data": "digits", "target": "--odd name", "batch-size": "16", "seed": "7", "time": "1m30s", "store": "/store"} {
			if got := c.Flags().Lookup(flag).Value.String(); got != want {
				t.Errorf("%s --%s is %q, expected %q", kind, flag, got, want)
			}
		}
	}
}
