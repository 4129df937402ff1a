package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/vector"
)

// A tape is a fused computation on a matrix, as instructions for a register
// machine that runs all of them for one block of the matrix after another.
type tape struct {
	dtype         dtypes.DType
	rows, columns int
	wholeRows     bool // a block must have whole rows
	code          []instruction
	registers     int // of floats
	masks         int // registers of booleans
	inPlace       [][]ir.Value
}

// An instruction computes one number for each element of a block, or for each
// row if its extent is column. Reductions go to an output.
type instruction struct {
	action    action
	op        compute.OpType
	function  vector.UnaryOp // if unary
	extent    extent
	target    slot
	arguments []slot
}

// A slot is where an operand lies.
type slot struct {
	kind   slotKind
	index  int
	extent extent
}

type slotKind uint8

const (
	inRegister slotKind = iota
	inInput
	inOutput
)

func (s slot) String() string {
	return string("rio"[s.kind]) + fmt.Sprint(s.index) + []string{"", "|", "-", "."}[s.extent]
}

// String lists the instructions: registers r0, r1, ..., inputs i0, ... and
// outputs o0, ..., with | for columns, - for rows and . for scalars.
func (t *tape) String() string {
	lines := make([]string, len(t.code))
	for i, c := range t.code {
		arguments := make([]string, len(c.arguments))
		for j, a := range c.arguments {
			arguments[j] = a.String()
		}
		lines[i] = fmt.Sprintf("%s=%s(%s)", c.target, c.op, strings.Join(arguments, ","))
	}
	return fmt.Sprintf("%dx%d %s", t.rows, t.columns, strings.Join(lines, " "))
}

// recorder writes the tape of a group.
type recorder struct {
	*fuser
	g       *group
	n       *ir.Node
	tape    *tape
	lastUse map[ir.Value]int // by the instruction
	slots   map[ir.Value]slot
	free    [2][]int // registers of floats and of booleans
}

// newTape returns the computation of g; n has its inputs and outputs.
func newTape(u *fuser, g *group, n *ir.Node) *tape {
	t := &tape{dtype: g.dtype, rows: 1, columns: g.size, wholeRows: g.wholeRows}
	if g.columns > 0 {
		t.rows, t.columns = g.rows(), g.columns
	}
	r := &recorder{fuser: u, g: g, n: n, tape: t, lastUse: make(map[ir.Value]int), slots: make(map[ir.Value]slot)}
	members := withDots(g.members, n.Outputs)
	for i, m := range members {
		if m != nil {
			for _, o := range m.operands {
				r.lastUse[o.value] = i
			}
		}
	}
	for i, m := range members {
		if m != nil {
			r.record(m, i)
		}
	}
	t.inPlace = make([][]ir.Value, len(n.Outputs))
	for i, v := range n.Outputs {
		t.inPlace[i] = r.inPlace(v)
	}
	return t
}

// withDots makes a sum of products one member with the factors as operands, and
// nil of the product, where nothing else uses that.
func withDots(members []*member, outputs []ir.Value) []*member {
	list := slices.Clone(members)
	for i, m := range members {
		if m.node.Op != compute.OpTypeReduceSum || m.action == reduceColumns {
			continue
		}
		v := m.operands[0].value
		product := slices.IndexFunc(members[:i], func(p *member) bool { return p.node.Outputs[0] == v })
		if product < 0 || slices.Contains(outputs, v) || uses(members, v) != 1 {
			continue
		}
		p := members[product]
		if p.node.Op != compute.OpTypeMul || p.extent != elements || m.extent != elements || p.operands[0].extent != elements || p.operands[1].extent != elements {
			continue
		}
		dot := *m
		dot.operands = p.operands
		list[product], list[i] = nil, &dot
	}
	return list
}

// uses counts how often members read a value.
func uses(members []*member, v ir.Value) int {
	count := 0
	for _, m := range members {
		for _, o := range m.operands {
			if o.value == v {
				count++
			}
		}
	}
	return count
}

// record appends the instruction of a member.
func (r *recorder) record(m *member, at int) {
	c := instruction{action: m.action, op: m.node.Op, function: m.function, extent: m.extent}
	for _, o := range m.operands {
		c.arguments = append(c.arguments, r.argument(m, o))
	}
	if m.action == compare && c.arguments[0].extent == scalar {
		c.op = mirrored[c.op]
		slices.Reverse(c.arguments)
	}
	// A register may be read and written by one instruction only if it does both
	// element by element.
	target := slot{extent: m.result()}
	r.release(m, at, func(s slot) bool { return s.extent == target.extent && s.extent == m.extent })
	v := m.node.Outputs[0]
	if output := slices.Index(r.n.Outputs, v); output >= 0 {
		target.kind, target.index = inOutput, output
	} else {
		target.index = r.register(r.bank(v))
	}
	r.release(m, at, func(s slot) bool { return s.extent != target.extent || s.extent != m.extent })
	c.target = target
	r.slots[v] = c.target
	r.tape.code = append(r.tape.code, c)
}

// release frees the registers that are read for the last time by m, the
// instruction number at, as far as they are wanted.
func (r *recorder) release(m *member, at int, wanted func(s slot) bool) {
	for i, o := range m.operands {
		again := slices.ContainsFunc(m.operands[:i], func(p operand) bool { return p.value == o.value })
		s, ok := r.slots[o.value]
		if ok && s.kind == inRegister && r.lastUse[o.value] == at && !again && wanted(s) {
			bank := r.bank(o.value)
			r.free[bank] = append(r.free[bank], s.index)
		}
	}
}

// mirrored is what a comparison becomes if its operands are exchanged.
var mirrored = map[compute.OpType]compute.OpType{
	compute.OpTypeEqual: compute.OpTypeEqual, compute.OpTypeNotEqual: compute.OpTypeNotEqual,
	compute.OpTypeLessThan: compute.OpTypeGreaterThan, compute.OpTypeGreaterThan: compute.OpTypeLessThan,
	compute.OpTypeLessOrEqual: compute.OpTypeGreaterOrEqual, compute.OpTypeGreaterOrEqual: compute.OpTypeLessOrEqual,
}

// argument returns where m reads an operand.
func (r *recorder) argument(m *member, o operand) slot {
	if s, ok := r.slots[o.value]; ok {
		return s
	}
	s := slot{kind: inInput, index: slices.Index(r.n.Inputs, o.value), extent: o.extent}
	if m.extent == column && o.extent == elements {
		s.extent = column
	}
	return s
}

// bank is 1 for booleans.
func (r *recorder) bank(v ir.Value) int {
	if r.f.Shape(v).DType == dtypes.Bool {
		return 1
	}
	return 0
}

// register returns one that is free.
func (r *recorder) register(bank int) int {
	if free := r.free[bank]; len(free) > 0 {
		r.free[bank] = free[:len(free)-1]
		return free[len(free)-1]
	}
	count := &r.tape.registers
	if bank == 1 {
		count = &r.tape.masks
	}
	*count++
	return *count - 1
}

// inPlace returns the inputs whose memory output v may have: those that no
// instruction after the one that computes v reads, and that each block reads
// only where it writes v.
func (r *recorder) inPlace(v ir.Value) []ir.Value {
	writer := slices.IndexFunc(r.g.members, func(m *member) bool { return m.node.Outputs[0] == v })
	if r.g.members[writer].result() != elements {
		return nil
	}
	var list []ir.Value
	for _, input := range r.n.Inputs {
		aligned := true
		for _, c := range r.tape.code {
			for _, a := range c.arguments {
				aligned = aligned && (a.kind != inInput || r.n.Inputs[a.index] != input || a.extent == elements)
			}
		}
		if aligned && r.lastUse[input] <= writer {
			list = append(list, input)
		}
	}
	return list
}
