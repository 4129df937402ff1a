package ops_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"
)

func TestQuantizedDenseEqualsDenseWithTheWeightsItStandsFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, inputs, outputs := rapid.IntRange(1, 3).Draw(t, "batch"), rapid.IntRange(1, 4).Draw(t, "inputs"), rapid.IntRange(1, 5).Draw(t, "outputs")
		blockSize := rapid.IntRange(1, outputs).Draw(t, "block size")
		blocks := (outputs + blockSize - 1) / blockSize
		q := ops.Quantization{Scheme: compute.QuantLinear, BlockSize: blockSize, Scale: draw(t, "scale", dtypes.Float32, inputs, blocks)}
		dtype := drawType(t, []dtypes.DType{dtypes.Int8, dtypes.Uint8, dtypes.Int4, dtypes.Uint4})
		weights := empty(t, dtype, inputs, outputs)
		for i := range weights.Bytes() {
			weights.Bytes()[i] = rapid.Uint8().Draw(t, "weights")
		}
		if rapid.Bool().Draw(t, "NF4") {
			q.Scheme = compute.QuantNF4
		} else if rapid.Bool().Draw(t, "zero point") {
			q.ZeroPoint = draw(t, "zero", dtypes.Float32, inputs, blocks)
		}
		real := empty(t, dtypes.Float32, inputs, outputs)
		scale, stored := arrayOf(t, q.Scale), arrayOf(t, weights)
		eachIndex([]int{inputs, outputs}, func(at []int) {
			number := stored.at(at...)
			if q.Scheme == compute.QuantNF4 {
				number = float64(compute.NF4LookupTable[int(number)&15])
			}
			number *= scale.at(at[0], at[1]/blockSize)
			if q.ZeroPoint.Flat != nil {
				number += arrayOf(t, q.ZeroPoint).at(at[0], at[1]/blockSize)
			}
			tensor.Of[float32](real)[flat([]int{inputs, outputs}, at)] = float32(number)
		})
		x := draw(t, "x", dtypes.Float32, batch, inputs)
		want, out := empty(t, dtypes.Float32, batch, outputs), empty(t, dtypes.Float32, batch, outputs)
		axes := ops.DotAxes{LHSContracting: []int{1}, RHSContracting: []int{0}}
		must(t, ops.DotGeneral(want, x, real, axes, dtypes.InvalidDType))
		must(t, ops.FusedQuantizedDense(out, x, weights, q))
		expect(t, out, 1e-5, values(t, want)...)
	})
}

// putHalf writes a float16 into a block.
func putHalf(block []uint8, value float32) {
	binary.LittleEndian.PutUint16(block, float16.FromFloat32(value).Bits())
}

// ggmlCases are blocks whose values follow from the format's description.
func ggmlCases() map[compute.GGMLQuantType]struct {
	block []uint8
	want  map[int]float64
} {
	q40, q80 := make([]uint8, 18), make([]uint8, 34)
	putHalf(q40, 0.5)
	q40[2], q40[17] = 0x2F, 0x80 // values 0: 15, 16: 2, 15: 0, 31: 8
	putHalf(q80, 2)
	q80[2], q80[33] = 0x80, 0x7F
	q4k := make([]uint8, 144)
	putHalf(q4k, 1)
	putHalf(q4k[2:], 0.5)
	q4k[4], q4k[8] = 3, 4               // group 0: factor 3, offset 4
	q4k[4+1], q4k[8+1] = 0xC0|5, 0x40|6 // group 1: factor 5, offset 6; high bits of group 5
	q4k[13] = 0x21                      // group 5: factor 0x31, offset 0x12
	q4k[16] = 0x97                      // group 0 value 0: 7; group 1 value 0: 9
	q4k[16+2*32] = 0xB0                 // group 5 value 0: 11
	q6k := make([]uint8, 210)
	putHalf(q6k[208:], 2)
	q6k[0], q6k[128] = 0x21, 0b11100100 // value 0: 1+0·16, value 64: 2+2·16
	q6k[32] = 0x43                      // value 32: 3+1·16, value 96: 4+3·16
	q6k[192], q6k[194], q6k[196], q6k[198] = 1, 2, 0xFF, 4
	q6k[127], q6k[191], q6k[207] = 0xF0, 0xC0, 5 // value 255: 15+3·16
	return map[compute.GGMLQuantType]struct {
		block []uint8
		want  map[int]float64
	}{
		compute.GGMLQ4_0:  {q40, map[int]float64{0: 3.5, 16: -3, 15: -4, 31: 0, 1: -4}},
		compute.GGMLIQ4NL: {q40, map[int]float64{0: 56.5, 16: -41.5, 15: -63.5, 31: 0.5}},
		compute.GGMLQ8_0:  {q80, map[int]float64{0: -256, 1: 0, 31: 254}},
		compute.GGMLQ4_K:  {q4k, map[int]float64{0: 3*7 - 2, 1: -2, 32: 5*9 - 3, 33: -3, 64: 0, 160: 49*11 - 9, 161: -9}},
		compute.GGMLQ6_K:  {q6k, map[int]float64{0: 2 * (1 - 32), 32: 2 * 2 * (19 - 32), 64: -2 * (34 - 32), 96: 2 * 4 * (52 - 32), 1: 2 * -32, 255: 2 * 5 * (63 - 32)}},
	}
}

func TestQuantizedEmbeddingLookup(t *testing.T) {
	for format, test := range ggmlCases() {
		size := len(test.block)
		table, err := tensor.FromFlat(shapes.Make(dtypes.Uint8, 2, size), append(make([]uint8, size), test.block...))
		must(t, err)
		width := format.ValuesPerBlock()
		out := empty(t, dtypes.Float32, 3, width)
		must(t, ops.QuantizedEmbeddingLookup(out, table, filled(t, dtypes.Int32, []int{3, 1}, 1, 0, 1), format))
		got := values(t, out)
		for position, want := range test.want {
			for _, row := range []int{0, 2} {
				if got[row*width+position] != want {
					t.Errorf("%s: value %d is %v, want %v", format, position, got[row*width+position], want)
				}
			}
		}
		if err := ops.QuantizedEmbeddingLookup(out, table, filled(t, dtypes.Int32, []int{3, 1}, 1, 0, 2), format); err == nil {
			t.Errorf("%s: row 2 of 2 gave no error", format)
		}
	}
}

func TestQuantizedDenseOfBlocks(t *testing.T) {
	for format, test := range ggmlCases() {
		weights, err := tensor.FromFlat(shapes.Make(dtypes.Uint8, 2, len(test.block)), append(append([]uint8(nil), test.block...), test.block...))
		must(t, err)
		width := format.ValuesPerBlock()
		for position, want := range test.want {
			x := empty(t, dtypes.Float32, 1, width)
			tensor.Of[float32](x)[position] = 2
			out := empty(t, dtypes.Float32, 1, 2)
			must(t, ops.FusedQuantizedDense(out, x, weights, ops.Quantization{Scheme: compute.QuantGGML, GGMLType: format}))
			expect(t, out, 0, 2*want, 2*want)
		}
	}
}

func TestUnknownBlockFormatsAreNotImplemented(t *testing.T) {
	for _, format := range []compute.GGMLQuantType{compute.GGMLQ2_K, compute.GGMLQ3_K, compute.GGMLQ5_K, 99} {
		err := ops.QuantizedEmbeddingLookup(empty(t, dtypes.Float32, 1, 256), empty(t, dtypes.Uint8, 1, 84), empty(t, dtypes.Int32, 1, 1), format)
		if !errors.Is(err, compute.ErrNotImplemented) {
			t.Errorf("%s gives %v", format, err)
		}
	}
}
