package program

import (
	"sync"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

func init() { builders[compute.OpTypeSort] = buildSort }

// sorter sorts by a program that compares two elements.
type sorter struct {
	comparator  *Program
	attributes  ir.Sort
	comparisons sync.Pool // of *comparison
}

// comparison is the memory for comparing two elements: the arguments hold a
// scalar of the left and one of the right element for each operand.
type comparison struct{ arguments, result []tensor.Tensor }

func buildSort(_ *ir.Function, n *ir.Node) (kernel, error) {
	programs, err := compileBodies(n)
	if err != nil {
		return nil, err
	}
	s := &sorter{comparator: programs[0], attributes: n.Attributes.(ir.Sort)}
	return s.run, nil
}

func (s *sorter) run(_ *workers.Pool, outputs, inputs []tensor.Tensor) error {
	c, err := s.start()
	if err != nil {
		return err
	}
	defer s.comparisons.Put(c)
	operands, extra := inputs[:s.attributes.Operands], inputs[s.attributes.Operands:]
	defer clear(c.arguments[2*len(operands):])
	copy(c.arguments[2*len(operands):], extra)
	return ops.Sort(outputs, operands, s.attributes.Axis, func(left, right int) (bool, error) {
		for i, operand := range operands {
			if err := ops.Element(c.arguments[2*i], operand, left); err != nil {
				return false, err
			}
			if err := ops.Element(c.arguments[2*i+1], operand, right); err != nil {
				return false, err
			}
		}
		err := s.comparator.Run(nil, c.arguments, c.result)
		return tensor.Of[bool](c.result[0])[0], err
	})
}

func (s *sorter) start() (*comparison, error) {
	if c, ok := s.comparisons.Get().(*comparison); ok {
		return c, nil
	}
	c := &comparison{arguments: make([]tensor.Tensor, len(s.comparator.function.Parameters))}
	var err error
	for i := range 2 * s.attributes.Operands {
		if c.arguments[i], err = tensor.New(s.comparator.function.ParameterShapes()[i]); err != nil {
			return nil, err
		}
	}
	c.result, err = newTensors(s.comparator)
	return c, err
}
