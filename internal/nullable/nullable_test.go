package nullable_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/descentml/descent/internal/nullable"
)

func ExampleNumber() {
	text, _ := json.Marshal([]nullable.Number{1.5, nullable.Number(math.NaN())})
	fmt.Println(string(text))
	// Output: [1.5,null]
}

func TestNumberComesBack(t *testing.T) {
	for _, want := range []float64{0, -0.1, 1e300, math.NaN(), math.Inf(1)} {
		text, err := json.Marshal(nullable.Number(want))
		if err != nil {
			t.Fatal(err)
		}
		var got nullable.Number
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		finite := !math.IsNaN(want) && !math.IsInf(want, 0)
		if finite && float64(got) != want || !finite && !math.IsNaN(float64(got)) {
			t.Errorf("%g came back as %g from %s", want, float64(got), text)
		}
	}
	var n nullable.Number
	if json.Unmarshal([]byte(`"1"`), &n) == nil {
		t.Error("a text was read as a number")
	}
}
