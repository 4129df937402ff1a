package launch

import (
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/model"
)

// The kinds of run that a form can ask for.
const (
	Compare = "compare"
	Train   = "train"
)

// Request is a form that asks for a comparison or a training, every field as
// it was filled in. Empty fields stand for the defaults of descent.
type Request struct {
	Kind                         string // Compare or Train
	Data                         string // name of a set, or UploadPrefix and the ID of an upload
	Target, Task, Missing        string
	Model, DType                 string
	Methods                      []string
	LearningRate, Schedule       string
	Epochs, Time, BatchSize      string
	Seeds, Seed                  string
	Validation, Test, TargetLoss string
}

// UploadPrefix marks the data of a Request as an upload.
const UploadPrefix = "upload:"

// ParseRequest takes the fields of a form. Methods may stand in several fields,
// and several in one, with commas between.
func ParseRequest(form url.Values) Request {
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	r := Request{
		Kind: get("kind"), Data: get("data"), Target: get("target"), Task: get("task"), Missing: get("missing"),
		Model: get("model"), DType: get("dtype"), LearningRate: get("lr"), Schedule: get("schedule"),
		Epochs: get("epochs"), Time: get("time"), BatchSize: get("batch"), Seeds: get("seeds"), Seed: get("seed"),
		Validation: get("validation"), Test: get("test"), TargetLoss: get("target-loss"),
	}
	for _, field := range form["method"] {
		for _, one := range strings.Split(field, ",") {
			if one = strings.TrimSpace(one); one != "" && !slices.Contains(r.Methods, one) {
				r.Methods = append(r.Methods, one)
			}
		}
	}
	return r
}

// Problems are sentences on fields of a form, by the name of the field.
type Problems map[string]string

// add notes a problem unless the field has one.
func (p Problems) add(field, format string, arguments ...any) {
	if p[field] == "" {
		p[field] = fmt.Sprintf(format, arguments...)
	}
}

// Most of what a form may ask for.
const (
	mostMethods = 20
	mostEpochs  = 100_000
	mostSeeds   = 100
	mostBatch   = 1 << 20
	mostTime    = 24 * time.Hour
	longestWord = 200 // bytes of a field
)

// Arguments checks a request and returns the arguments of the command line
// that does it. A model that is trained is saved under the folder store. There
// are none if there are problems.
func (r *Request) Arguments(uploads *Uploads, store string) ([]string, Problems) {
	p := Problems{}
	a := &arguments{words: []string{r.Kind}}
	switch r.Kind {
	case Compare:
		a.add("methods", strings.Join(r.Methods, ","))
		a.add("seeds", r.Seeds)
		a.add("target-loss", r.TargetLoss)
	case Train:
		a.add("method", strings.Join(r.Methods, ","))
		a.add("save", filepath.Join(store, "models", newID()+".model"))
	default:
		p.add("kind", "Choose to compare methods or to train with one.")
	}
	a.add("data", r.source(uploads, p))
	for _, field := range []struct{ flag, value string }{
		{"target", r.Target}, {"task", r.Task}, {"missing", r.Missing}, {"model", r.Model}, {"dtype", r.DType},
		{"lr", r.learningRate()}, {"schedule", r.Schedule}, {"epochs", r.Epochs}, {"time", r.Time},
		{"batch-size", r.BatchSize}, {"seed", r.Seed}, {"validation", r.Validation}, {"test", r.Test},
	} {
		if len(field.value) > longestWord {
			p.add(field.flag, "This is too long: at most %d characters are taken.", longestWord)
		}
		a.add(field.flag, field.value)
	}
	r.checkWords(p)
	r.checkNumbers(p)
	if len(p) > 0 {
		return nil, p
	}
	return a.words, p
}

// arguments collects flags as --name=value, of which no value is ever taken
// for a flag.
type arguments struct{ words []string }

func (a *arguments) add(flag, value string) {
	if value != "" {
		a.words = append(a.words, "--"+flag+"="+value)
	}
}

// learningRate is the flag --lr, which only a training has.
func (r *Request) learningRate() string {
	if r.Kind != Train {
		return ""
	}
	return r.LearningRate
}

// source is what --data is given: a set that is known by name or the file of
// an upload, never a path of the request.
func (r *Request) source(uploads *Uploads, p Problems) string {
	if id, ok := strings.CutPrefix(r.Data, UploadPrefix); ok {
		if _, path, found := uploads.Find(id); found {
			return path
		}
		p.add("data", "This upload is not there any more: choose another or upload it again.")
		return ""
	}
	for _, set := range data.Sets() {
		if set.Name == r.Data && data.Installed(set.Name) {
			return r.Data
		}
	}
	p.add("data", "Choose one of the sets, or upload a file.")
	return ""
}

// plainSpecification is the form of all methods, models and schedules that do
// not name a file.
var plainSpecification = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:=,.%_+-]*$`)

func (r *Request) checkWords(p Problems) {
	switch {
	case len(r.Methods) == 0:
		p.add("method", "Choose at least one method.")
	case r.Kind == Train && len(r.Methods) > 1:
		p.add("method", "A training has one method: choose one, or compare them.")
	case len(r.Methods) > mostMethods:
		p.add("method", "Choose at most %d methods.", mostMethods)
	}
	for _, one := range r.Methods {
		if len(one) > longestWord || !plainSpecification.MatchString(one) {
			p.add("method", "One of the methods is written in a way that is not understood.")
		} else if _, err := method.New(one); err != nil {
			p.add("method", "%v.", err)
		}
	}
	if r.Model != "" && (!plainSpecification.MatchString(r.Model) || !knownModel(r.Model)) {
		p.add("model", "Write one of linear, mlp:64, mlp:64,64, cnn or resnet, with options after colons.")
	}
	for _, one := range strings.Split(r.Schedule, ",") {
		if r.Schedule == "" {
			break
		}
		if !plainSpecification.MatchString(one) || !knownSchedule(one) {
			p.add("schedule", "Write one of %s, with options after colons.", strings.Join(scheduleNames(), ", "))
		}
	}
	oneOf(p, "dtype", r.DType, "float32", "float64")
	oneOf(p, "task", r.Task, string(data.Classification), string(data.Regression))
	oneOf(p, "missing", r.Missing, string(data.MissingError), string(data.MissingMean), string(data.MissingDrop))
}

func oneOf(p Problems, field, value string, choices ...string) {
	if value != "" && !slices.Contains(choices, value) {
		p.add(field, "Choose one of %s.", strings.Join(choices, ", "))
	}
}

func nameOf(specification string) string {
	name, _, _ := strings.Cut(specification, ":")
	return name
}

func knownModel(specification string) bool {
	return slices.ContainsFunc(model.Kinds(), func(k model.Kind) bool { return k.Name == nameOf(specification) })
}

func knownSchedule(specification string) bool {
	return slices.Contains(scheduleNames(), nameOf(specification))
}

// scheduleNames are the schedules that a form can ask for: all but the one that
// is read from a file.
func scheduleNames() []string {
	var names []string
	for _, s := range schedule.Schedules() {
		if s.Name != "refined" {
			names = append(names, s.Name)
		}
	}
	return names
}

func (r *Request) checkNumbers(p Problems) {
	whole(p, "epochs", r.Epochs, 0, mostEpochs)
	whole(p, "batch", r.BatchSize, 1, mostBatch)
	whole(p, "seeds", r.Seeds, 1, mostSeeds)
	whole(p, "seed", r.Seed, 0, math.MaxInt64)
	if r.Time != "" {
		if d, err := time.ParseDuration(r.Time); err != nil || d < 0 || d > mostTime {
			p.add("time", "Write a time such as 30s or 5m, at most %v.", mostTime)
		}
	}
	if r.LearningRate != "" && r.LearningRate != "auto" && r.Kind == Train {
		number(p, "lr", r.LearningRate, 0, math.MaxFloat64)
	}
	number(p, "validation", r.Validation, 0.01, 0.9)
	number(p, "test", r.Test, 0.01, 0.9)
	number(p, "target-loss", r.TargetLoss, math.SmallestNonzeroFloat64, math.MaxFloat64)
	if epochs, err := strconv.Atoi(r.Epochs); err == nil && epochs == 0 && (r.Time == "" || r.Time == "0" || r.Time == "0s") {
		p.add("epochs", "The training has no length: give epochs or a time.")
	}
}

func whole(p Problems, field, text string, low, high int64) {
	if text == "" {
		return
	}
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n < low || n > high {
		p.add(field, "Write a whole number from %d to %d.", low, high)
	}
}

func number(p Problems, field, text string, low, high float64) {
	if text == "" {
		return
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && x >= low && x <= high:
	case high == math.MaxFloat64:
		p.add(field, "Write a number above 0, such as 0.01.")
	default:
		p.add(field, "Write a number from %g to %g.", low, high)
	}
}
