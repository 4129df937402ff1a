package backend

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/program"
)

// dump is a file that tells what the compiler does.
type dump struct {
	mutex sync.Mutex
	file  *os.File
}

func newDump(path string) (*dump, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &dump{file: file}, nil
}

// write adds a computation, unless d is nil.
func (d *dump) write(name string, f *ir.Function) error {
	if d == nil {
		return nil
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	_, err := fmt.Fprintf(d.file, "computation %q\n", name)
	return errors.Join(err, program.Dump(d.file, f))
}

func (d *dump) close() {
	if d != nil {
		d.file.Close()
	}
}
