package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A parameter of a kernel, besides dst, is a slice or one element.
type parameter struct {
	name   string
	scalar bool
}

var (
	x  = []parameter{{name: "x"}}
	ab = []parameter{{name: "a"}, {name: "b"}}
)

// An elementwise kernel computes dst[i] from element i of its slices.
type elementwise struct {
	inputs  []parameter
	streams int
	// stops is set for a kernel that gives up at elements that it does not
	// compute: it returns how many it has done.
	stops bool
	body  func(m *machine, in []value) value
}

// A span is the loop of one kernel over its slices.
type span struct {
	*machine
	bases []operand.Mem // of the slices, dst first
	index reg.GPVirtual // elements done
	count reg.GPVirtual // elements in all
}

// function starts a kernel.
func (m *machine) function(name, signature, doc string) {
	m.Function(name)
	m.Attributes(attr.NOSPLIT)
	m.Pragma("noescape")
	m.SignatureExpr(signature)
	m.Doc(name + " " + doc)
}

// slices opens a span over the slices, which is as long as the shortest.
func (m *machine) slices(names ...string) *span {
	s := &span{machine: m, index: m.GP64(), count: m.GP64()}
	for i, name := range names {
		s.bases = append(s.bases, operand.Mem{Base: m.Load(m.Param(name).Base(), m.GP64())})
		if i == 0 {
			m.Load(m.Param(name).Len(), s.count)
			continue
		}
		length := m.Load(m.Param(name).Len(), m.GP64())
		m.CMPQ(length, s.count)
		m.CMOVQLT(length, s.count)
	}
	m.XORQ(s.index, s.index)
	return s
}

// place is the memory of stream i of a slice of elements of the given size.
func (s *span) place(slice, stream, size int) operand.Mem {
	at := s.bases[slice].Idx(s.index, uint8(size))
	return at.Offset(stream * s.lanes() * size)
}

// whole emits the loop over full steps of all streams.
func (s *span) whole(label string, body func()) {
	step := s.streams * s.lanes()
	end := s.GP64()
	s.MOVQ(s.count, end)
	s.ANDQ(operand.I32(-step), end)
	s.JMP(operand.LabelRef(label + "Test"))
	s.Label(label)
	body()
	s.ADDQ(operand.U32(step), s.index)
	s.Label(label + "Test")
	s.CMPQ(s.index, end)
	s.JLT(operand.LabelRef(label))
}

// rest emits the loop over what is left, one masked register a step.
func (s *span) rest(label string, body func(where operand.Op)) {
	s.JMP(operand.LabelRef(label + "Test"))
	s.Label(label)
	left := s.GP64()
	s.MOVQ(s.count, left)
	s.SUBQ(s.index, left)
	body(s.firstLanes(s.laneCount(left)))
	s.ADDQ(operand.U32(s.lanes()), s.index)
	s.Label(label + "Test")
	s.CMPQ(s.index, s.count)
	s.JLT(operand.LabelRef(label))
}

// read loads the streams of a slice.
func (s *span) read(slice int) value {
	v := s.fresh()
	for i := range s.streams {
		unaligned.of(s.machine)(s.Context, s.place(slice, i, s.size()), v.at(i))
	}
	return v
}

// readMasked loads the lanes of one register, and 0 in the others.
func (s *span) readMasked(slice int, where operand.Op) value {
	v := s.vector()
	in := masked
	if s.avx512 {
		in = zeroing
	}
	in.of(s.machine)(s.Context, s.place(slice, 0, s.size()), where, v)
	return value{registers: []operand.Op{v}}
}

// write stores the streams of a slice.
func (s *span) write(slice int, v value) {
	for i := range s.streams {
		unaligned.of(s.machine)(s.Context, v.at(i), s.place(slice, i, s.size()))
	}
}

// writeMasked stores the lanes of one register.
func (s *span) writeMasked(slice int, where operand.Op, v value) {
	in := masked
	if s.avx512 {
		in = unaligned
	}
	in.of(s.machine)(s.Context, v.at(0), where, s.place(slice, 0, s.size()))
}

// argument loads a parameter that is an integer or an address.
func (m *machine) argument(from gotypes.Component) reg.GPVirtual {
	to := m.GP64()
	m.Load(from, to)
	return to
}

// scalar loads a parameter that is one element into all lanes.
func (m *machine) scalar(name string) reg.VecVirtual {
	at, err := m.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	all := m.vector()
	broadcast.of(m)(m.Context, at.Addr, all)
	return all
}

// elementwise emits a kernel.
func (f *file) elementwise(name, doc string, k elementwise) {
	m := f.machine(max(k.streams, 1))
	m.function(name, f.signature(k), doc)
	names := []string{"dst"}
	scalars := map[string]operand.Op{}
	for _, p := range k.inputs {
		if p.scalar {
			scalars[p.name] = m.scalar(p.name)
		} else {
			names = append(names, p.name)
		}
	}
	s := m.slices(names...)
	compute := func(read func(slice int) value) value {
		var in []value
		slice := 1
		for _, p := range k.inputs {
			if p.scalar {
				in = append(in, m.same(scalars[p.name]))
				continue
			}
			in = append(in, read(slice))
			slice++
		}
		return k.body(m, in)
	}
	s.whole("loop", func() { s.write(0, compute(s.read)) })
	m.streams = 1
	s.rest("tail", func(where operand.Op) {
		v := compute(func(slice int) value { return s.readMasked(slice, where) })
		s.writeMasked(0, where, v)
	})
	if k.stops {
		done := m.GP64()
		m.MOVQ(s.count, done)
		m.JMP(operand.LabelRef("done"))
		m.Label("stop")
		m.MOVQ(s.index, done)
		m.Label("done")
		m.Store(done, m.ReturnIndex(0))
	}
	m.VZEROUPPER()
	m.RET()
}

// signature writes the Go signature of an elementwise kernel.
func (f *file) signature(k elementwise) string {
	parameters := []string{"dst []" + f.element()}
	for _, p := range k.inputs {
		kind := "[]" + f.element()
		if p.scalar {
			kind = f.element()
		}
		parameters = append(parameters, p.name+" "+kind)
	}
	result := ""
	if k.stops {
		result = " int"
	}
	return fmt.Sprintf("func(%s)%s", strings.Join(parameters, ", "), result)
}

// A file collects the kernels of one instruction set, and the lines of Go that
// put them into the table of the vector package.
type file struct {
	context *build.Context
	pool    *pool
	avx512  bool
	double  bool
	table   []string
}

// machine returns one for a new kernel.
func (f *file) machine(streams int) *machine {
	return &machine{Context: f.context, avx512: f.avx512, double: f.double, streams: streams, pool: f.pool}
}

// element is the Go type of the elements.
func (f *file) element() string {
	if f.double {
		return "float64"
	}
	return "float32"
}

// name returns the name of a kernel of this file.
func (f *file) name(base string) string {
	set, width := "AVX2", "32"
	if f.avx512 {
		set = "AVX512"
	}
	if f.double {
		width = "64"
	}
	return base + width + set
}

// enter puts a kernel into a field of the table.
func (f *file) enter(field, kernel string) {
	f.table = append(f.table, fmt.Sprintf("k.%s = avx.%s", field, kernel))
}
