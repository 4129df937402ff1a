package backend_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/descentml/descent/backend"
)

func TestDumpShowsThePasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passes.txt")
	b, err := compute.NewWithConfig(backend.Name + ":workers=1,dump=" + path)
	if err != nil {
		t.Fatal(err)
	}
	exec := graph.MustNewExec(b, func(x *graph.Node) *graph.Node { return graph.Tanh(graph.AddScalar(graph.Exp(x), 1)) })
	if _, err := exec.Call([]float32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"after fold", "after fuse", "Tanh", "Fused"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the dump lacks %q:\n%s", want, text)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, options := range []string{"workers=0", "workers=many", "threads=2", "dump=" + filepath.Join(t.TempDir(), "none", "x")} {
		if _, err := backend.New(options); err == nil {
			t.Errorf("options %q were accepted", options)
		}
	}
}
