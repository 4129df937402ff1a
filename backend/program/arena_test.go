package program

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/tensor"
)

// TestArenaBlocksNeverOverlap allocates and frees at random.
func TestArenaBlocksNeverOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a arena
		var live []block
		total, peak := 0, 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(t, "free") {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				a.free(live[i].offset, live[i].size)
				total -= aligned(live[i].size)
				live = append(live[:i], live[i+1:]...)
				continue
			}
			size := rapid.IntRange(1, 1000).Draw(t, "size")
			b := block{a.allocate(size), size}
			if b.offset%tensor.Alignment != 0 || b.end() > a.size {
				t.Fatalf("block %v is not aligned within %d bytes", b, a.size)
			}
			for _, other := range live {
				if b.offset < other.end() && other.offset < b.end() {
					t.Fatalf("blocks %v and %v overlap", b, other)
				}
			}
			live = append(live, b)
			total += aligned(size)
			peak = max(peak, total)
		}
		if a.size < peak {
			t.Fatalf("arena has %d bytes, expected at least the %d that lived at once", a.size, peak)
		}
		for _, b := range live {
			a.free(b.offset, b.size)
		}
		if len(a.holes) > 1 || (len(a.holes) == 1 && a.holes[0] != block{0, a.size}) {
			t.Fatalf("after all is freed the holes are %v, expected one of %d bytes", a.holes, a.size)
		}
	})
}

func TestArenaReusesMemory(t *testing.T) {
	var a arena
	first := a.allocate(1000)
	second := a.allocate(100)
	a.free(first, 1000)
	if again := a.allocate(900); again != first {
		t.Errorf("got offset %d, want the freed one %d", again, first)
	}
	// What is left of the first block and the second block are one hole at the
	// end, which grows.
	a.free(second, 100)
	if grown := a.allocate(200); grown != first+aligned(900) || a.size != grown+aligned(200) {
		t.Errorf("got offset %d of %d bytes, want the hole at the end extended", grown, a.size)
	}
}

func TestArenaRefusesTooMuch(t *testing.T) {
	var a arena
	a.allocate(math.MaxInt / 2)
	a.allocate(math.MaxInt / 2)
	if a.size != -1 {
		t.Errorf("got size %d, want -1", a.size)
	}
}
