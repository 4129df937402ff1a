package cpu_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/descentml/descent/backend/kernel/cpu"
)

func Example() {
	for _, level := range cpu.Levels() {
		if level == cpu.Portable {
			fmt.Println(level)
		}
	}
	// Output: portable
}

func TestLevelsEndWithBest(t *testing.T) {
	levels := cpu.Levels()
	if got := levels[len(levels)-1]; got != cpu.Best() {
		t.Errorf("last level is %v, want %v", got, cpu.Best())
	}
	for i, level := range levels {
		if int(level) != i {
			t.Errorf("level %d is %v", i, level)
		}
	}
	if runtime.GOARCH != "amd64" && cpu.Best() != cpu.Portable {
		t.Errorf("%s has level %v", runtime.GOARCH, cpu.Best())
	}
}

func TestNames(t *testing.T) {
	for level, want := range map[cpu.Level]string{cpu.Portable: "portable", cpu.AVX2: "avx2", cpu.AVX512: "avx512"} {
		if level.String() != want {
			t.Errorf("level %d is called %q, want %q", level, level, want)
		}
	}
}
