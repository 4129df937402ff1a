package vector_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/descentml/descent/backend/kernel/vector"
)

func TestTranspose(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkTranspose[float32](t)
		checkTranspose[float64](t)
	})
}

func checkTranspose[T vector.Float](t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1016, 0))
	for range 100 {
		rows, columns := random.IntN(150), random.IntN(80)
		srcStride, dstStride := columns+random.IntN(3), rows+random.IntN(3)
		src, dst := normals[T](rows*srcStride, random), make([]T, columns*dstStride)
		vector.Fill(dst, -7)
		if err := vector.Transpose(dst, dstStride, src, srcStride, rows, columns); err != nil {
			t.Fatal(err)
		}
		for at, v := range dst {
			want := T(-7)
			if i, j := at%dstStride, at/dstStride; i < rows {
				want = src[i*srcStride+j]
			}
			if v != want {
				t.Fatalf("%d by %d: element %d is %g, want %g", rows, columns, at, v, want)
			}
		}
	}
}

func TestShapesThatDoNotFit(t *testing.T) {
	small, large := make([]float32, 11), make([]float32, 12)
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"short src", vector.Transpose(large, 3, small, 4, 3, 4), "src has 11 elements: expected at least 12"},
		{"short dst", vector.Transpose(small, 3, large, 4, 3, 4), "dst has 11 elements: expected at least 12"},
		{"empty src", vector.Transpose(large, 3, nil, 4, 1, 4), "src has 0 elements: expected at least 4"},
		{"overlap", vector.Transpose(large, 3, large, 3, 3, 4), "src has 3 rows of 4 columns, 3 apart"},
		{"negative", vector.CopyRows(large, 4, large, 4, -1, 4), "src has -1 rows"},
		{"short copy", vector.CopyRows(small, 4, large, 4, 3, 4), "dst has 11 elements"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, c.err, c.want)
		}
	}
	if err := vector.Transpose[float32](nil, 0, nil, 0, 0, 0); err != nil {
		t.Errorf("empty: %v", err)
	}
}

func TestCopies(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		src := []float64{1, 2, 3, 4, 5, 6}
		dst := make([]float64, 6)
		if err := vector.CopyRows(dst, 3, src[1:], 2, 2, 2); err != nil {
			t.Fatal(err)
		}
		checkSame(t, "rows", dst, []float64{2, 3, 0, 4, 5, 0})
		vector.Gather(dst, src[1:], 2)
		checkSame(t, "gathered", dst, []float64{2, 4, 6, 4, 5, 0})
		vector.Gather(dst, src, 0)
		vector.BroadcastRow(dst, src[:2])
		checkSame(t, "row", dst, []float64{1, 2, 1, 2, 1, 2})
		vector.BroadcastColumn(dst, src, 3)
		checkSame(t, "column", dst, []float64{1, 1, 1, 2, 2, 2})
		vector.BroadcastRow(dst[:5], nil)
		vector.BroadcastRow(dst[:5], src[4:])
		checkSame(t, "rows in full", dst, []float64{5, 6, 5, 6, 2, 2})
	})
}
