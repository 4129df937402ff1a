package block_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/descentml/descent/data/internal/block"
)

func TestBlocksAreTheTextCutAtRecordEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"1,2\n", "\n", "a,\"b\nc\"\n", "\"\"\"\n\"\r\n", strings.Repeat("x", 100_000) + "\n",
			"\"" + strings.Repeat("y\n", 200_000) + "\"\n", "last",
		}), 1, 40).Draw(t, "pieces")
		text := strings.Join(pieces, "")
		reader := block.NewReader(strings.NewReader(text))
		var joined strings.Builder
		for {
			b, err := reader.Next(1)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := 1 + strings.Count(joined.String(), "\n"); b.Line != want {
				t.Fatalf("block begins on line %d, want %d", b.Line, want)
			}
			joined.Write(b.Text)
			whole := bytes.Count(b.Text, []byte{'"'})%2 == 0 && bytes.HasSuffix(b.Text, []byte{'\n'})
			if !whole && joined.Len() < len(text) {
				t.Fatalf("a block ends inside a record: ...%q", b.Text[max(0, len(b.Text)-20):])
			}
		}
		if joined.String() != text {
			t.Fatal("the blocks do not make up the text")
		}
	})
}

func TestNextGathersRecords(t *testing.T) {
	text := strings.Repeat(strings.Repeat("a", 5000)+"\n", 1000)
	b, err := block.NewReader(strings.NewReader(text)).Next(500)
	if err != nil || bytes.Count(b.Text, []byte{'\n'}) < 500 {
		t.Fatalf("%d records, error %v; want at least 500", bytes.Count(b.Text, []byte{'\n'}), err)
	}
}

func TestNextRefusesEndlessRecords(t *testing.T) {
	text := "a,b\n\"" + strings.Repeat("1,2\n", 2<<20)
	reader := block.NewReader(strings.NewReader(text))
	var err error
	for err == nil {
		_, err = reader.Next(1)
	}
	if !strings.Contains(err.Error(), "begins on line 2 ") {
		t.Fatalf("error %v, want one that names line 2", err)
	}
}

func TestNextReportsReadErrors(t *testing.T) {
	for _, want := range []error{io.ErrUnexpectedEOF, errors.New("disk on fire")} {
		source := io.MultiReader(strings.NewReader("1,2\n"), iotest.ErrReader(want))
		if _, err := block.NewReader(source).Next(1); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

func TestEachKeepsTheOrder(t *testing.T) {
	var text bytes.Buffer
	for i := range 600_000 {
		fmt.Fprintln(&text, i)
	}
	want := text.String()
	var got strings.Builder
	err := block.Each(block.NewReader(&text),
		func(b block.Block) ([]byte, error) { return b.Text, nil },
		func(part []byte) error { got.Write(part); return nil })
	if err != nil || got.String() != want {
		t.Fatalf("error %v, same text %v", err, got.String() == want)
	}
}

func TestEachReturnsTheFirstError(t *testing.T) {
	line := strings.Repeat("a", 1<<19) + "\n"
	for range 20 {
		err := block.Each(block.NewReader(strings.NewReader(strings.Repeat(line, 40))),
			func(b block.Block) (int, error) {
				if b.Line >= 5 {
					return 0, fmt.Errorf("line %d", b.Line)
				}
				return b.Line, nil
			},
			func(int) error { return nil })
		if err == nil || err.Error() != "line 5" {
			t.Fatalf("error %v, want that of line 5", err)
		}
	}
}

func ExampleEach() {
	records := 0
	err := block.Each(block.NewReader(strings.NewReader("1,2\n\"3\n4\",5\n")),
		func(b block.Block) (int, error) { return bytes.Count(b.Text, []byte(",")), nil },
		func(n int) error { records += n; return nil })
	fmt.Println(records, err)
	// Output: 2 <nil>
}
