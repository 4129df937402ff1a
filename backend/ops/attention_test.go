package ops_test

import (
	"math"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

// attentionCase is a random attention with its reference.
type attentionCase struct {
	batch, heads, shared, queries, keys, size int
	layout                                    compute.AttentionAxesLayout
}

func drawAttention(t *rapid.T) attentionCase {
	small := func(label string) int { return rapid.IntRange(1, 3).Draw(t, label) }
	c := attentionCase{batch: small("batch"), shared: small("heads per key head"), queries: small("queries"), keys: small("keys"), size: rapid.IntRange(1, 6).Draw(t, "head size")}
	c.heads = c.shared * small("key heads")
	c.layout = rapid.SampledFrom([]compute.AttentionAxesLayout{compute.AttentionAxesLayoutBHSD, compute.AttentionAxesLayoutBSHD}).Draw(t, "layout")
	return c
}

// order puts batch, head, position and element where the layout says.
func (c attentionCase) order(batch, head, position, element int) []int {
	if c.layout == compute.AttentionAxesLayoutBSHD {
		return []int{batch, position, head, element}
	}
	return []int{batch, head, position, element}
}

// reference computes the attention of the scores plus added; keys for which
// allowed is false are ignored.
func (c attentionCase) reference(query, key, value array, scale float64, added func(b, h, i, j int) float64, allowed func(b, h, i, j int) bool) []float64 {
	out := make([]float64, len(query.values))
	eachIndex([]int{c.batch, c.heads, c.queries}, func(at []int) {
		b, h, i := at[0], at[1], at[2]
		weights, total := make([]float64, c.keys), 0.0
		for j := range weights {
			if !allowed(b, h, i, j) {
				continue
			}
			score := 0.0
			for d := range c.size {
				score += query.at(c.order(b, h, i, d)...) * key.at(c.order(b, h/c.shared, j, d)...)
			}
			weights[j] = math.Exp(scale*score + added(b, h, i, j))
			total += weights[j]
		}
		for j, weight := range weights {
			for d := range c.size {
				if total > 0 {
					out[flat(query.dimensions, c.order(b, h, i, d))] += weight / total * value.at(c.order(b, h/c.shared, j, d)...)
				}
			}
		}
	})
	return out
}

func TestScaledDotProductAttention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawAttention(t)
		dtype := drawType(t, []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16})
		query := draw(t, "query", dtype, c.order(c.batch, c.heads, c.queries, c.size)...)
		key := draw(t, "key", dtype, c.order(c.batch, c.heads/c.shared, c.keys, c.size)...)
		value := draw(t, "value", dtype, key.Shape.Dimensions...)
		options := ops.Attention{Layout: c.layout, Causal: rapid.Bool().Draw(t, "causal"), Scale: 0.25}
		scale := options.Scale
		if rapid.Bool().Draw(t, "default scale") {
			options.Scale, scale = 0, 1/math.Sqrt(float64(c.size))
		}
		added := func(_, _, _, _ int) float64 { return 0 }
		if rapid.Bool().Draw(t, "bias") {
			options.Bias = draw(t, "bias", dtype, c.order(1, c.heads, c.queries, c.keys)...)
			bias := arrayOf(t, options.Bias)
			added = func(_, h, i, j int) float64 { return bias.at(c.order(0, h, i, j)...) }
		}
		masked := func(_, _, _ int) bool { return true }
		if rapid.Bool().Draw(t, "mask") {
			options.Mask = draw(t, "mask", dtypes.Bool, c.batch, c.queries, c.keys)
			mask := arrayOf(t, options.Mask)
			masked = func(b, i, j int) bool { return mask.at(b, i, j) != 0 }
		}
		queryLength, keyLength := c.queries, c.keys
		if rapid.Bool().Draw(t, "lengths") {
			queryLength, keyLength = rapid.IntRange(0, c.queries).Draw(t, "query length"), rapid.IntRange(0, c.keys).Draw(t, "key length")
			options.QueryLengths, options.KeyValueLengths = repeated(t, queryLength, c.batch), repeated(t, keyLength, c.batch)
		}
		out := empty(t, dtype, query.Shape.Dimensions...)
		must(t, ops.FusedScaledDotProductAttention(out, query, key, value, options))
		want := c.reference(arrayOf(t, query), arrayOf(t, key), arrayOf(t, value), scale, added, func(b, _, i, j int) bool {
			return i < queryLength && j < keyLength && (!options.Causal || j <= i) && masked(b, i, j)
		})
		expect(t, out, 2*precision(dtype), want...)
	})
}

// repeated returns an integer vector of one value.
func repeated(t reporter, value, size int) tensor.Tensor {
	numbers := make([]float64, size)
	for i := range numbers {
		numbers[i] = float64(value)
	}
	return filled(t, dtypes.Int32, []int{size}, numbers...)
}

func TestAttentionMaskOfTwoAxesAndAdditiveMask(t *testing.T) {
	query := filled(t, dtypes.Float32, []int{1, 1, 2, 1}, 0, 0)
	value := filled(t, dtypes.Float32, []int{1, 1, 2, 1}, 1, 3)
	out := empty(t, dtypes.Float32, 1, 1, 2, 1)
	must(t, ops.FusedScaledDotProductAttention(out, query, query, value, ops.Attention{Mask: filled(t, dtypes.Bool, []int{2, 2}, 1, 0, 0, 0)}))
	expect(t, out, 0, 1, 0)
	must(t, ops.FusedScaledDotProductAttention(out, query, query, value, ops.Attention{Mask: filled(t, dtypes.Float64, []int{1, 2}, math.Log(3), 0)}))
	expect(t, out, 1e-6, 1.5, 1.5)
}
