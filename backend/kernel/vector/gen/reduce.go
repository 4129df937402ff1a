package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A reduction kernel folds its slices into one number. Element i goes to
// partial result i mod lanes of groups*64 bytes; the partial results are then
// combined in halves. This order is the same for every instruction set.
type reduction struct {
	slices  []string // the first is dst if stores is set
	scalar  string
	stores  bool
	groups  int
	streams int
	// identity is what the partial results start from.
	identity float64
	// term computes what is folded; nil means the element itself.
	term func(m *machine, in []value, scalar value) value
	// fold puts the term, and what was read, into the partial results.
	fold    func(m *machine, partial, term value, in []value)
	combine instruction
	// keepsNaN is set if combine loses NaN and they must be looked for.
	keepsNaN bool
}

// A folder is a reduction under way.
type folder struct {
	*span
	spec     reduction
	partials []operand.Op
	scalar   value
	nan      operand.Op // has lanes or bits set where a NaN was seen
}

// into overwrites partial with in(partial, term).
func into(in instruction) func(m *machine, partial, term value, read []value) {
	return func(m *machine, partial, term value, _ []value) {
		for i := range m.streams {
			in.of(m)(m.Context, partial.at(i), term.at(i), partial.at(i))
		}
	}
}

// square adds the square of the term.
func square(m *machine, partial, term value, _ []value) { m.accumulate(partial, term, term) }

// products adds the products of two slices.
func products(m *machine, partial, _ value, in []value) { m.accumulate(partial, in[0], in[1]) }

// reduction emits a kernel.
func (f *file) reduction(name, doc string, r reduction) {
	m := f.machine(r.streams)
	parameters := []string{strings.Join(r.slices, ", ") + " []" + f.element()}
	if r.scalar != "" {
		parameters = append(parameters, r.scalar+" "+f.element())
	}
	m.function(name, fmt.Sprintf("func(%s) %s", strings.Join(parameters, ", "), f.element()), doc)
	fold := &folder{span: m.slices(r.slices...), spec: r}
	fold.begin()
	fold.wholeSteps()
	m.streams = 1
	fold.tail()
	result := fold.finish()
	m.VZEROUPPER()
	m.Store(result, m.ReturnIndex(0))
	m.RET()
}

// begin fills the partial results.
func (f *folder) begin() {
	if f.spec.scalar != "" {
		f.scalar = f.same(f.machine.scalar(f.spec.scalar))
	}
	for range f.spec.groups * 64 / f.vectorBytes() {
		partial := f.vector()
		if f.spec.identity == 0 {
			f.VXORPS(partial, partial, partial)
		} else {
			broadcast.of(f.machine)(f.Context, f.c(f.spec.identity).constant, partial)
		}
		f.partials = append(f.partials, partial)
	}
	if f.spec.keepsNaN {
		if f.avx512 {
			f.nan = f.K()
			f.KXORW(f.nan, f.nan, f.nan)
		} else {
			f.nan = f.YMM()
			f.VXORPS(f.nan, f.nan, f.nan)
		}
	}
}

// inputs are the slices that are read.
func (f *folder) inputs() (first, count int) {
	if f.spec.stores {
		return 1, len(f.spec.slices) - 1
	}
	return 0, len(f.spec.slices)
}

// wholeSteps folds steps of as many elements as there are partial results.
func (f *folder) wholeSteps() {
	streams := f.streams
	f.streams = len(f.partials)
	batches := len(f.partials) / streams
	f.whole("loop", func() {
		f.streams = streams
		for batch := range batches {
			read := func(slice int) value {
				v := f.fresh()
				for i := range streams {
					unaligned.of(f.machine)(f.Context, f.place(slice, batch*streams+i, f.size()), v.at(i))
				}
				return v
			}
			term, in := f.compute(read)
			if f.spec.stores {
				for i := range streams {
					unaligned.of(f.machine)(f.Context, term.at(i), f.place(0, batch*streams+i, f.size()))
				}
			}
			f.take(value{registers: f.partials[batch*streams : (batch+1)*streams]}, term, in)
		}
		f.streams = len(f.partials)
	})
}

// compute reads the slices and returns the term, and what was read.
func (f *folder) compute(read func(slice int) value) (term value, in []value) {
	first, count := f.inputs()
	for slice := range count {
		in = append(in, read(first+slice))
	}
	if f.spec.term == nil {
		return in[0], in
	}
	return f.spec.term(f.machine, in, f.scalar), in
}

// take folds a term into partial results.
func (f *folder) take(partials, term value, in []value) {
	if f.spec.keepsNaN {
		for _, found := range f.compare(unordered, term, term) {
			if f.avx512 {
				f.KORW(found, f.nan, f.nan)
			} else {
				f.VORPS(found, f.nan, f.nan)
			}
		}
	}
	f.spec.fold(f.machine, partials, term, in)
}

// tail folds what is left, one register into each partial result.
func (f *folder) tail() {
	left := f.GP64()
	f.MOVQ(f.count, left)
	f.SUBQ(f.index, left)
	for i := range f.partials {
		f.CMPQ(left, operand.U32(0))
		f.JLE(operand.LabelRef("combine"))
		where := f.firstLanes(f.laneCount(left))
		term, in := f.compute(func(slice int) value { return f.readMasked(slice, where) })
		if f.spec.stores {
			f.writeMasked(0, where, term)
		}
		switch {
		case f.spec.identity != 0:
			term = f.choose(mask{where}, term, f.c(f.spec.identity))
		case f.spec.term != nil:
			term = f.keep(mask{where}, term)
		}
		f.take(value{registers: f.partials[i : i+1]}, term, in)
		f.ADDQ(operand.U32(f.lanes()), f.index)
		f.SUBQ(operand.U32(f.lanes()), left)
	}
	f.Label("combine")
}

// finish combines the partial results in halves.
func (f *folder) finish() reg.Register {
	partials := f.partials
	for len(partials) > 1 {
		half := len(partials) / 2
		for i := range half {
			f.spec.combine.of(f.machine)(f.Context, partials[half+i], partials[i], partials[i])
		}
		partials = partials[:half]
	}
	result := f.across(partials[0].(reg.VecVirtual))
	if f.spec.keepsNaN {
		f.poison(result)
	}
	return result
}

// across combines the lanes of a register in halves.
func (f *folder) across(r reg.VecVirtual) reg.Register {
	in := f.spec.combine.of(f.machine)
	if f.avx512 {
		upper := f.YMM()
		f.VEXTRACTF64X4(operand.U8(1), r, upper)
		in(f.Context, upper, r.AsY(), r.AsY())
	}
	upper := f.XMM()
	f.VEXTRACTF128(operand.U8(1), r.AsY(), upper)
	in(f.Context, upper, r.AsX(), r.AsX())
	if f.double {
		f.VPERMILPD(operand.U8(1), r.AsX(), upper)
		in(f.Context, upper, r.AsX(), r.AsX())
		return r.AsX()
	}
	f.VPERMILPS(operand.U8(0x0e), r.AsX(), upper)
	in(f.Context, upper, r.AsX(), r.AsX())
	f.VPERMILPS(operand.U8(1), r.AsX(), upper)
	in(f.Context, upper, r.AsX(), r.AsX())
	return r.AsX()
}

// poison makes the result NaN if a NaN was seen.
func (f *folder) poison(result reg.Register) {
	if f.avx512 {
		f.KORTESTW(f.nan, f.nan)
	} else {
		bits := f.GP32()
		f.VMOVMSKPS(f.nan, bits)
		f.TESTL(bits, bits)
	}
	f.JZ(operand.LabelRef("return"))
	nan := f.c(math.NaN()).constant
	if f.double {
		f.VMOVSD(nan, result)
	} else {
		f.VMOVSS(nan, result)
	}
	f.Label("return")
}

// reductions emits all kernels that return one number.
func (f *file) reductions() {
	enter := func(field, base, doc string, r reduction) {
		if r.groups == 0 {
			r.groups = 4
		}
		r.streams = min(f.streams(4, 2), r.groups*64/f.vectorBytes())
		f.reduction(f.name(base), doc, r)
		f.enter(field, f.name(base))
	}
	one, two := []string{"x"}, []string{"x", "y"}
	enter("reduce[Sum]", "Sum", "returns the sum of x.", reduction{slices: one, fold: into(addition), combine: addition})
	enter("reduce[Product]", "Product", "returns the product of x.",
		reduction{slices: one, identity: 1, fold: into(multiplication), combine: multiplication})
	enter("reduce[Largest]", "Largest", "returns the largest of x.",
		reduction{slices: one, identity: math.Inf(-1), fold: into(maximum), combine: maximum, keepsNaN: true})
	enter("reduce[Smallest]", "Smallest", "returns the smallest of x.",
		reduction{slices: one, identity: math.Inf(1), fold: into(minimum), combine: minimum, keepsNaN: true})
	enter("dot", "Dot", "returns the sum of x[i] y[i].", reduction{slices: two, fold: products, combine: addition})
	enter("sumSquares", "SumSquares", "returns the sum of x[i]^2.", reduction{slices: one, fold: square, combine: addition})
	enter("squaredDeviations", "SquaredDeviations", "returns the sum of (x[i]-mean)^2.", reduction{
		slices: one, scalar: "mean", fold: square, combine: addition,
		term: func(m *machine, in []value, mean value) value { return m.sub(in[0], mean) },
	})
	shifted := func(m *machine, in []value, shift value) value { return m.exp(m.sub(in[0], shift)) }
	enter("expSum", "ExpSum", "returns the sum of exp(x[i]-shift).", reduction{
		slices: one, scalar: "shift", groups: 2, fold: into(addition), combine: addition, term: shifted,
	})
	enter("expStore", "ExpStore", "sets dst[i] to exp(x[i]-shift) and returns the sum of dst.", reduction{
		slices: []string{"dst", "x"}, scalar: "shift", stores: true, groups: 2, fold: into(addition), combine: addition, term: shifted,
	})
}
