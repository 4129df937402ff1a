package ir

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/gomlx/compute"
)

// maxDumped is the number of elements up to which Dump writes out a constant.
const maxDumped = 4

// Dump writes the function as text, one node per line:
//
//	func main(%0 x (Float32)[3]) {
//	  %1 (Float32) = ReduceSum(%0) {Axes:[0]}
//	  return %1
//	}
//
// The functions that a node runs follow it, indented.
func Dump(w io.Writer, f *Function) error {
	d := &dumper{w: w}
	d.function(f, "")
	return d.err
}

// String is the text that [Dump] writes.
func (f *Function) String() string {
	var b strings.Builder
	_ = Dump(&b, f) // a strings.Builder does not fail
	return b.String()
}

type dumper struct {
	w   io.Writer
	err error
}

func (d *dumper) printf(format string, arguments ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, arguments...)
	}
}

func (d *dumper) function(f *Function, indent string) {
	parameters := make([]string, len(f.Parameters))
	for i, v := range f.Parameters {
		parameters[i] = strings.Join(strings.Fields(fmt.Sprintf("%%%d %s %s", v, f.ParameterNames[i], f.shapes[v])), " ")
	}
	d.printf("%sfunc %s(%s) {\n", indent, f.Name, strings.Join(parameters, ", "))
	for _, n := range f.Nodes {
		d.node(f, n, indent+"  ")
	}
	d.printf("%s  return %s\n%s}\n", indent, listValues(f.Outputs), indent)
}

func (d *dumper) node(f *Function, n *Node, indent string) {
	outputs := make([]string, len(n.Outputs))
	for i, v := range n.Outputs {
		outputs[i] = fmt.Sprintf("%%%d %s", v, f.shapes[v])
	}
	d.printf("%s%s = %s(%s)%s\n", indent, strings.Join(outputs, ", "), operationName(n.Op), listValues(n.Inputs), dumpAttributes(n))
	for _, body := range n.Bodies {
		d.function(body, indent+"  ")
	}
}

// operationName returns the name of an operation of GoMLX or of OpFused.
func operationName(op compute.OpType) string {
	if op == OpFused {
		return "Fused"
	}
	return op.String()
}

func listValues(values []Value) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%%%d", v)
	}
	return strings.Join(texts, ", ")
}

func dumpAttributes(n *Node) string {
	switch a := n.Attributes.(type) {
	case nil:
		return ""
	case Constant:
		if reflect.ValueOf(a.Data.Flat).Len() > maxDumped {
			return " {...}"
		}
		return fmt.Sprintf(" %v", a.Data.Flat)
	default:
		return fmt.Sprintf(" %+v", a)
	}
}
