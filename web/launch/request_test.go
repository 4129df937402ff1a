package launch_test

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/web/launch"
)

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

func TestRequestBecomesArguments(t *testing.T) {
	u := uploads(t, t.TempDir(), launch.Limits{})
	upload, err := u.Save(t.Context(), "churn.csv", strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := u.Find(upload.ID)
	r := launch.ParseRequest(form("kind", "compare", "data", launch.UploadPrefix+upload.ID, "target", "--store=/etc",
		"method", "adam, sgd", "method", "diffgrad:friction=dfc2", "method", "adam", "model", "mlp:8", "lr", "0.1",
		"epochs", "3", "seeds", "2", "time", "90s", "schedule", "linear,cosine"))
	got, problems := r.Arguments(u, "/store")
	want := []string{"compare", "--methods=adam,sgd,diffgrad:friction=dfc2", "--seeds=2", "--data=" + path, "--target=--store=/etc",
		"--model=mlp:8", "--schedule=linear,cosine", "--epochs=3", "--time=90s"}
	if len(problems) > 0 || !slices.Equal(got, want) {
		t.Errorf("%q, %v\nexpected %q", got, problems, want)
	}
	r = launch.ParseRequest(form("kind", "train", "data", "digits", "method", "adam", "lr", "0.1"))
	got, problems = r.Arguments(u, "/store")
	if len(problems) > 0 || len(got) != 5 || got[0] != "train" || !strings.HasPrefix(got[2], "--save="+filepath.Join("/store", "models")) || got[4] != "--lr=0.1" {
		t.Errorf("%q, %v", got, problems)
	}
}

func TestRequestRefusesWhatItShould(t *testing.T) {
	u := uploads(t, t.TempDir(), launch.Limits{})
	good := []string{"kind", "compare", "data", "digits", "method", "adam"}
	if r := launch.ParseRequest(form(good...)); true {
		if _, problems := r.Arguments(u, "/store"); len(problems) > 0 {
			t.Fatal(problems)
		}
	}
	long := strings.Repeat("x", 1000)
	for _, c := range []struct{ field, value, problem string }{
		{"kind", "rm -rf", "kind"}, {"kind", "study", "kind"}, {"kind", "--help", "kind"},
		{"data", "/etc/passwd", "data"}, {"data", "../../etc/passwd", "data"}, {"data", "upload:../../etc/passwd", "data"},
		{"data", "upload:aaaaaaaaaaaaaaaa", "data"}, {"data", "", "data"}, {"data", "./digits", "data"}, {"data", "--data=x", "data"},
		{"method", "", "method"}, {"method", "nonesuch", "method"}, {"method", "adam:file=/etc/passwd", "method"},
		{"method", "adam;ls", "method"}, {"method", long, "method"}, {"method", "--store=x", "method"},
		{"model", "mlp/../..", "model"}, {"model", "nonesuch", "model"}, {"model", "$(ls)", "model"},
		{"schedule", "refined:/etc/passwd", "schedule"}, {"schedule", "refined:file=x", "schedule"}, {"schedule", "moon", "schedule"},
		{"dtype", "int8", "dtype"}, {"task", "guess", "task"}, {"missing", "guess", "missing"},
		{"epochs", "-1", "epochs"}, {"epochs", "1e3", "epochs"}, {"epochs", "100001", "epochs"}, {"epochs", "0", "epochs"},
		{"time", "1 year", "time"}, {"time", "25h", "time"}, {"time", "-5s", "time"},
		{"seeds", "0", "seeds"}, {"seeds", "101", "seeds"}, {"batch", "0", "batch"}, {"seed", "x", "seed"},
		{"validation", "NaN", "validation"}, {"test", "0.95", "test"}, {"target-loss", "0", "target-loss"}, {"target", long, "target"},
	} {
		f := form(good...)
		f.Set(c.field, c.value)
		r := launch.ParseRequest(f)
		arguments, problems := r.Arguments(u, "/store")
		if problems[c.problem] == "" || arguments != nil {
			t.Errorf("%s = %.50q: arguments %q, problems %v", c.field, c.value, arguments, problems)
		}
	}
	f := form("kind", "train", "data", "digits", "method", "adam", "method", "sgd", "lr", "-3")
	r := launch.ParseRequest(f)
	if _, problems := r.Arguments(u, "/store"); problems["method"] == "" || problems["lr"] == "" {
		t.Errorf("%v", problems)
	}
}

// FuzzRequest: whatever a form says, an argument is a flag of ours with =, and
// data is a set or lies in the store.
func FuzzRequest(f *testing.F) {
	u, err := launch.NewUploads(f.TempDir(), launch.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("kind=compare&data=digits&method=adam&target=--x&model=mlp:3")
	f.Add("kind=train&data=upload:..&method=adam")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r := launch.ParseRequest(values)
		arguments, problems := r.Arguments(u, "/store")
		if (arguments == nil) != (len(problems) > 0) {
			t.Fatalf("%q with %v", arguments, problems)
		}
		for i, word := range arguments {
			if i == 0 && word != launch.Compare && word != launch.Train || i > 0 && (!strings.HasPrefix(word, "--") || !strings.Contains(word, "=")) {
				t.Fatalf("%q", arguments)
			}
			if strings.HasPrefix(word, "--data=") && strings.ContainsAny(word, `/\`) {
				t.Fatalf("%q", word)
			}
		}
	})
}
