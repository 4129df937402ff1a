package method_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/descentml/descent/method"
)

func Example() {
	builder, err := method.New("diffgrad:friction=dfc2")
	fmt.Println(builder.Method.Title, err)
	_, err = method.New("difgrad")
	fmt.Println(strings.Split(err.Error(), "?")[0] + "?")
	// Output:
	// diffGrad <nil>
	// unknown method "difgrad", did you mean "diffgrad"?
}

func TestEveryMethodCanBeMadeByItsName(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range method.Methods() {
		if seen[m.Name] {
			t.Errorf("two methods are called %s", m.Name)
		}
		seen[m.Name] = true
		builder, err := method.New(m.Name)
		if err != nil || builder.Method.Name != m.Name {
			t.Errorf("%s: %v", m.Name, err)
		}
		if m.Title == "" || m.Summary == "" || m.Source == "" || !(m.DefaultLearningRate > 0) {
			t.Errorf("%s is not described: %+v", m.Name, m)
		}
	}
}

func TestBadSpecifications(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "starts with no name",
		"adm":              `did you mean "adam"`,
		"adam:beta3=1":     `unknown option "beta3"`,
		"adam:beta1=2":     "expected a number in",
		"nothing:a=1":      "unknown method",
		" adam : beta1 = ": "expected option=value",
	} {
		if _, err := method.New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
