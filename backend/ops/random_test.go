package ops_test

import (
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

func newState(t reporter, key, low, high uint64) tensor.Tensor {
	state, err := tensor.FromFlat(compute.RNGStateShape, []uint64{key, low, high})
	must(t, err)
	return state
}

// The known answers are those of the Random123 library, file kat_vectors.
func TestRandomBitsKnownAnswers(t *testing.T) {
	const ones = math.MaxUint64
	for _, test := range []struct {
		key, low, high uint64
		want           []uint32
	}{
		{0, 0, 0, []uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{ones, ones, ones, []uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, []uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		state, out := newState(t, test.key, test.low, test.high), empty(t, dtypes.Uint32, 4)
		must(t, ops.RandomBits(state, out, state))
		if got := tensor.Of[uint32](out); !slices.Equal(got, test.want) {
			t.Errorf("got %08x, want %08x", got, test.want)
		}
	}
}

func TestRandomBitsContinue(t *testing.T) {
	state := newState(t, 7, math.MaxUint64, 3)
	whole, first, second := empty(t, dtypes.Uint64, 6), empty(t, dtypes.Uint64, 4), empty(t, dtypes.Uint64, 2)
	middle, end, other := newState(t, 0, 0, 0), newState(t, 0, 0, 0), newState(t, 0, 0, 0)
	must(t, ops.RandomBits(end, whole, state))
	must(t, ops.RandomBits(middle, first, state))
	must(t, ops.RandomBits(other, second, middle))
	if got := append(slices.Clone(tensor.Of[uint64](first)), tensor.Of[uint64](second)...); !slices.Equal(got, tensor.Of[uint64](whole)) {
		t.Errorf("two parts give %x, the whole %x", got, tensor.Of[uint64](whole))
	}
	want := []uint64{7, 2, 4} // the counter's low half overflows
	for _, s := range []tensor.Tensor{end, other} {
		if got := tensor.Of[uint64](s); !slices.Equal(got, want) {
			t.Errorf("state is %d, want %d", got, want)
		}
	}
}

func TestRandomBitsAreBalanced(t *testing.T) {
	const count = 1 << 16
	state, out := newState(t, 1, 0, 0), empty(t, dtypes.Uint32, count)
	must(t, ops.RandomBits(state, out, state))
	set, serial := 0, 0
	var perBit [32]int
	numbers := tensor.Of[uint32](out)
	for i, x := range numbers {
		set += bits.OnesCount32(x)
		serial += bits.OnesCount32(x ^ numbers[(i+1)%count])
		for bit := range perBit {
			perBit[bit] += int(x >> bit & 1)
		}
	}
	checkHalf(t, "bits", set, 32*count)
	checkHalf(t, "changes", serial, 32*count)
	for bit, ones := range perBit {
		checkHalf(t, "bit "+string(rune('A'+bit)), ones, count)
	}
}

// checkHalf fails if ones of count fair bits is more than five deviations off.
func checkHalf(t *testing.T, name string, ones, count int) {
	if deviation := math.Abs(float64(ones)-float64(count)/2) / (math.Sqrt(float64(count)) / 2); deviation > 5 {
		t.Errorf("%s: %d of %d are set, %.1f deviations from half", name, ones, count, deviation)
	}
}

func TestRandomBooleansAreBooleans(t *testing.T) {
	state, out := newState(t, 1, 0, 0), empty(t, dtypes.Bool, 1000)
	must(t, ops.RandomBits(state, out, state))
	ones := 0
	for _, b := range out.Bytes() {
		if b > 1 {
			t.Fatalf("a boolean is stored as %d", b)
		}
		ones += int(b)
	}
	checkHalf(t, "booleans", ones, 1000)
}
