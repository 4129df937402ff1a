package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/cluster/frame"
)

func Example() {
	gradient := frame.Of32([]float32{0.5, -1, 2, 4}, 2, 2)
	wire, err := frame.Append(nil, &frame.Frame{Kind: frame.Reply, Job: "digits", Task: "gradient", Round: 7, Part: 3, Tensor: gradient})
	if err != nil {
		panic(err)
	}
	back, err := frame.Decode(wire)
	fmt.Println(back.Job, back.Round, back.Part, back.Tensor.Layout, err)
	wire[len(wire)-1] ^= 1
	_, err = frame.Decode(wire)
	var refused *frame.Error
	fmt.Println(errors.As(err, &refused), refused.Reason)
	// Output:
	// digits 7 3 float32 [2 2] <nil>
	// true checksum
}

var letters = rapid.StringMatching(`[a-zA-Z0-9._-]{0,64}`)

func drawFrame(t *rapid.T) frame.Frame {
	f := frame.Frame{
		Kind: frame.Kind(rapid.IntRange(1, int(frame.Record)).Draw(t, "kind")),
		Job:  letters.Draw(t, "job"), Task: letters.Draw(t, "task"),
		Round: rapid.Uint64().Draw(t, "round"), Part: rapid.Uint32().Draw(t, "part"),
		Attempt: rapid.Uint32().Draw(t, "attempt"), Blob: rapid.Uint64().Draw(t, "blob"),
	}
	if arguments := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "arguments"); len(arguments) > 0 {
		f.Arguments = arguments
	}
	if dtype := frame.DType(rapid.IntRange(0, int(frame.Uint64)).Draw(t, "dtype")); dtype != frame.None {
		f.Tensor.DType = dtype
		f.Tensor.Shape = rapid.SliceOfN(rapid.IntRange(0, 4), 1, frame.MaxRank).Draw(t, "shape")
		f.Detached = f.Tensor.Bytes() > 0 && rapid.Bool().Draw(t, "detached")
		if n := f.Tensor.Bytes(); n > 0 && !f.Detached {
			f.Tensor.Data = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")
		}
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t)
		wire, err := frame.Append(nil, &f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := frame.Decode(wire)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", back) != fmt.Sprintf("%+v", f) {
			t.Fatalf("%+v came back as %+v", f, back)
		}
	})
}

// TestDamage changes one bit anywhere, or cuts, or adds: nothing of it gets in.
func TestDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t)
		wire, err := frame.Append(nil, &f)
		if err != nil {
			t.Fatal(err)
		}
		bit := rapid.IntRange(0, 8*len(wire)-1).Draw(t, "bit")
		flipped := slices.Clone(wire)
		flipped[bit/8] ^= 1 << (bit % 8)
		cut := wire[:rapid.IntRange(0, len(wire)-1).Draw(t, "cut")]
		longer := append(slices.Clone(wire), 0)
		for _, bad := range [][]byte{flipped, cut, longer} {
			var refused *frame.Error
			if _, err := frame.Decode(bad); !errors.As(err, &refused) {
				t.Fatalf("damaged frame: %v", err)
			}
		}
	})
}

// signed puts the right checksum on a changed frame, as a sender would who
// means it.
func signed(wire []byte, change func([]byte)) []byte {
	wire = slices.Clone(wire)
	change(wire)
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Update(0, table, wire[:48]), table, wire[52:])
	binary.LittleEndian.PutUint32(wire[48:], sum)
	return wire
}

func TestRefusals(t *testing.T) {
	good, err := frame.Append(nil, &frame.Frame{Kind: frame.Reply, Job: "job", Task: "t", Tensor: frame.Of64([]float64{1, 2, 3, 4}, 2, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := frame.Decode(signed(good, func([]byte) {})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reason string
		wire   []byte
	}{
		{"size", nil},
		{"magic", signed(good, func(b []byte) { b[0] = 'X' })},
		{"version", signed(good, func(b []byte) { b[4] = 2 })},
		{"kind", signed(good, func(b []byte) { b[5] = 0 })},
		{"kind", signed(good, func(b []byte) { b[5] = 200 })},
		{"dtype", signed(good, func(b []byte) { b[6] = 99 })},
		{"shape", signed(good, func(b []byte) { b[6] = byte(frame.Float32) })},
		{"shape", signed(good, func(b []byte) { b[7] = 5 })},
		{"shape", signed(good, func(b []byte) { b[56] = 3 })},
		{"shape", signed(good, func(b []byte) { b[56+7] = 0xff })},
		{"shape", signed(good, func(b []byte) { b[24] = 31 })},
		{"name", signed(good, func(b []byte) { b[72] = '*' })},
		{"size", signed(good, func(b []byte) { b[33] = 255 })},
		{"size", signed(good, func(b []byte) { b[32] = 2 })},
		{"size", signed(good, func(b []byte) { b[32] = 1 })},
		{"size", signed(good, func(b []byte) { b[39] = 0xff })},
		{"size", signed(good, func(b []byte) { b[77] = 1 })},
		{"size", signed(append(slices.Clone(good), 0), func([]byte) {})},
		{"size", signed(good[:len(good)-1], func([]byte) {})},
		{"checksum", append(slices.Clone(good[:len(good)-1]), good[len(good)-1]^1)},
	} {
		_, err := frame.Decode(c.wire)
		var refused *frame.Error
		if !errors.As(err, &refused) || refused.Reason != c.reason {
			t.Errorf("%x: %v, expected a refusal for its %s", c.wire, err, c.reason)
		}
	}
}

// FuzzDecode decodes any bytes, also with a right checksum: what is accepted is
// written again as it was.
func FuzzDecode(f *testing.F) {
	seed, err := frame.Append(nil, &frame.Frame{Kind: frame.Call, Job: "j", Task: "gradient", Arguments: []byte("{}"), Tensor: frame.Of32([]float32{1, 2})})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("DSCF"))
	f.Add(bytes.Repeat([]byte{1}, 80))
	f.Fuzz(func(t *testing.T, wire []byte) {
		if len(wire) >= 56 {
			wire = signed(wire, func([]byte) {})
		}
		got, err := frame.Decode(wire)
		if err != nil {
			return
		}
		again, err := frame.Append(nil, &got)
		if err != nil || !bytes.Equal(again, wire) {
			t.Fatalf("%x was accepted and is written as %x, %v", wire, again, err)
		}
	})
}

func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SliceOf(rapid.Uint64()).Draw(t, "bits")
		doubles, singles := make([]float64, len(bits)), make([]float32, len(bits))
		for i, b := range bits {
			doubles[i], singles[i] = math.Float64frombits(b), math.Float32frombits(uint32(b))
		}
		// One byte off, so that the slow way is taken too.
		for _, shift := range []int{0, 1} {
			wide, narrow, whole := frame.Of64(doubles), frame.Of32(singles), frame.OfUint64(bits)
			whole.Data = append(make([]byte, shift), whole.Data...)[shift:]
			wide.Data = append(make([]byte, shift), wide.Data...)[shift:]
			narrow.Data = append(make([]byte, shift), narrow.Data...)[shift:]
			a, err := wide.Float64s()
			if err != nil {
				t.Fatal(err)
			}
			b, err := narrow.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			c, err := whole.Uint64s()
			if err != nil {
				t.Fatal(err)
			}
			for i := range bits {
				if c[i] != bits[i] || math.Float64bits(a[i]) != bits[i] || math.Float32bits(b[i]) != uint32(bits[i]) {
					t.Fatalf("number %d: %x came back as %x and %x", i, bits[i], math.Float64bits(a[i]), math.Float32bits(b[i]))
				}
			}
		}
	})
}

// TestHalf holds float16 against its definition: no other number of 11
// significant bits is nearer.
func TestHalf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-65000, 65000).Draw(t, "x")
		back, err := frame.Of16([]float32{x}).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		spacing := math.Max(math.Exp2(-24), math.Exp2(math.Floor(math.Log2(math.Abs(float64(x))))-10))
		if x == 0 {
			spacing = 0
		}
		if math.Abs(float64(back[0])-float64(x)) > spacing/2*(1+1e-6) {
			t.Fatalf("%v became %v, numbers are %v apart there", x, back[0], spacing)
		}
	})
	for bits := range 1 << 16 {
		half := frame.Tensor{Layout: frame.Layout{DType: frame.Float16, Shape: []int{1}}, Data: []byte{byte(bits), byte(bits >> 8)}}
		x, err := half.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if again := frame.Of16(x); !bytes.Equal(again.Data, half.Data) && x[0] == x[0] {
			t.Fatalf("%04x is %v, which becomes %x", bits, x[0], again.Data)
		}
	}
	if _, err := frame.Of64([]float64{1}).Float32s(); err == nil {
		t.Error("float64 was read as float32")
	}
}

func BenchmarkAppendDecode(b *testing.B) {
	f := frame.Frame{Kind: frame.Chunk, Job: "job", Task: "gradient", Tensor: frame.OfRaw(make([]byte, 1<<20))}
	wire, err := frame.Append(nil, &f)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if wire, err = frame.Append(wire[:0], &f); err != nil {
			b.Fatal(err)
		}
		if _, err := frame.Decode(wire); err != nil {
			b.Fatal(err)
		}
	}
}
