package firstorder_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/descentml/descent/method/firstorder"
)

func TestMethodsAreCompleteAndInOrder(t *testing.T) {
	rates := map[string]float64{
		"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01, "adadelta": 1,
		"rmsprop": 0.01, "adam": 1e-3, "adamw": 1e-3, "amsgrad": 1e-3, "diffgrad": 1e-3,
	}
	order := "sgd momentum nesterov adagrad adadelta rmsprop adam adamw amsgrad diffgrad"
	var names []string
	for _, m := range firstorder.Methods() {
		names = append(names, m.Name)
		if m.Title == "" || m.Summary == "" || m.Source == "" || m.DefaultLearningRate != rates[m.Name] {
			t.Errorf("method %+v: expected a title, a summary, a source and the learning rate %g", m, rates[m.Name])
		}
		if len(m.Options) == 0 || m.Options[0].Name != "lr" {
			t.Fatalf("%s: options %v, expected lr first", m.Name, m.Options)
		}
		for _, option := range m.Options {
			if option.Summary == "" {
				t.Errorf("%s: option %q has no summary", m.Name, option.Name)
			}
		}
	}
	if got := strings.Join(names, " "); got != order {
		t.Errorf("methods %s, expected %s", got, order)
	}
}

// The defaults that the catalogue names are those that a method takes where
// nothing is given.
func TestDefaultsAreAsTheCatalogueSays(t *testing.T) {
	gradients := normals(10, 5, 3, 1)
	for _, m := range firstorder.Methods() {
		text := m.Name
		for _, option := range m.Options {
			text += ":" + option.Name + "=" + option.Default
		}
		silent, spoken := newSession(t, m.Name, []float64{1, 2, 3}), newSession(t, text, []float64{1, 2, 3})
		for _, g := range gradients {
			if got, expected := silent.step(g), spoken.step(g); !reflect.DeepEqual(got, expected) {
				t.Errorf("%s moved to %v, %s to %v", m.Name, got, text, expected)
			}
		}
	}
}

func TestNewSetsTheFields(t *testing.T) {
	for text, expected := range map[string]any{
		"diffgrad": &firstorder.DiffGrad{},
		"diffgrad:friction=dfc2:beta1=0.95:weight_decay=0.1": &firstorder.DiffGrad{
			Friction: firstorder.DFC2, Beta1: 0.95, WeightDecay: 0.1},
		"amsgrad:raw_maximum=true:lr=0.5": &firstorder.AMSGrad{RawMaximum: true, LearningRate: 0.5},
		" momentum : momentum = 0.5 ":     &firstorder.Momentum{Momentum: 0.5},
	} {
		if got, err := firstorder.New(text); err != nil || !reflect.DeepEqual(got, expected) {
			t.Errorf("New(%q) = %+v, %v; expected %+v", text, got, err, expected)
		}
	}
	m, err := firstorder.New("momentum:momentum=0")
	if err != nil || !math.IsNaN(m.(*firstorder.Momentum).Momentum) {
		t.Errorf("momentum=0 gave %+v, %v; expected NaN, which stands for zero", m, err)
	}
}

func TestNewRejects(t *testing.T) {
	for text, expected := range map[string]string{
		"":                         "starts with no name",
		"difgrad":                  `unknown method "difgrad", did you mean "diffgrad"?`,
		"adam:beta=0.9":            `method "adam": unknown option "beta", did you mean "beta1"?`,
		"adam:beta1=1":             `option "beta1" is "1", expected a number in [0, 1)`,
		"adam:lr=-1":               `option "lr" is "-1", expected a number in [0, +Inf)`,
		"adam:lr=fast":             `option "lr" is "fast"`,
		"adam:lr=NaN":              `option "lr" is "NaN"`,
		"amsgrad:raw_maximum=much": `option "raw_maximum" is "much", expected true or false`,
		"diffgrad:friction=dfc7":   `unknown friction function "dfc7"`,
		"adam:lr":                  "expected option=value",
	} {
		if m, err := firstorder.New(text); err == nil || m != nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("New(%q) = %v, error %v; expected one with %q", text, m, err, expected)
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, text := range []string{"adam", "diffgrad:friction=dfc2:beta1=0.95", "momentum:momentum=0", "amsgrad:raw_maximum=1", "adam:lr=-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := firstorder.New(text); (m == nil) == (err == nil) {
			t.Fatalf("New(%q) = %v, %v; expected either a method or an error", text, m, err)
		}
	})
}
