package program

import (
	"fmt"
	"io"

	"github.com/descentml/descent/backend/ir"
)

// A pass returns a function that computes the same as f, which it leaves alone.
type pass struct {
	name string
	run  func(f *ir.Function) (*ir.Function, error)
}

// passes are run in this order. The clean-up is repeated once, since each of
// its passes finds more after the others.
var passes = []pass{
	{"inline", inlineCalls},
	{"decompose", decompose},
	{"fold", foldConstants},
	{"simplify", simplify},
	{"common", withoutRepetition},
	{"dead code", withoutDeadCode},
	{"fold", foldConstants},
	{"simplify", simplify},
	{"common", withoutRepetition},
	{"dead code", withoutDeadCode},
	{"fuse", fuse},
}

// optimize runs all passes and dumps the function after each of them.
func optimize(f *ir.Function, dump io.Writer) (*ir.Function, error) {
	for _, p := range passes {
		var err error
		if f, err = p.run(f); err != nil {
			return nil, fmt.Errorf("pass %s: %w", p.name, err)
		}
		if dump == nil {
			continue
		}
		if _, err := fmt.Fprintf(dump, "after %s:\n", p.name); err != nil {
			return nil, err
		}
		if err := ir.Dump(dump, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Dump writes the function, which must have no dynamic axes, as it is after
// each pass of the compiler.
func Dump(w io.Writer, f *ir.Function) error {
	_, err := optimize(f, w)
	return err
}
