package vector

import (
	"fmt"
	"unsafe"
)

// tileBytes is the side of the square tiles that are transposed at once.
const tileBytes = 32

// stripTiles is how many tiles below each other are transposed in a row, so
// that the lines of dst that they touch stay in the first-level cache.
const stripTiles = 8

// Transpose sets dst[j*dstStride+i] to src[i*srcStride+j] for all i < rows and
// j < columns. dst and src must not overlap. An error says which of them is too
// short for its shape.
func Transpose[T Float](dst []T, dstStride int, src []T, srcStride, rows, columns int) error {
	if err := fits("src", len(src), srcStride, rows, columns); err != nil {
		return err
	}
	if err := fits("dst", len(dst), dstStride, columns, rows); err != nil {
		return err
	}
	m := transposition[T]{dst: dst, dstStride: dstStride, src: src, srcStride: srcStride}
	strip := of[T](chosen).transposeStrip
	if strip == nil {
		m.plain(0, rows, 0, columns)
		return nil
	}
	side := tileBytes / int(unsafe.Sizeof(*new(T)))
	tiledRows, tiledColumns := rows&^(side-1), columns&^(side-1)
	for i := 0; i < tiledRows; i += stripTiles * side {
		tiles := min(stripTiles, (tiledRows-i)/side)
		for j := 0; j < tiledColumns; j += side {
			strip(dst[j*dstStride+i:], src[i*srcStride+j:], tiles, dstStride, srcStride)
		}
	}
	m.plain(0, tiledRows, tiledColumns, columns)
	m.plain(tiledRows, rows, 0, columns)
	return nil
}

// A transposition is the arguments of Transpose.
type transposition[T Float] struct {
	dst, src             []T
	dstStride, srcStride int
}

// plain transposes part of src, tile by tile.
func (m transposition[T]) plain(fromRow, toRow, fromColumn, toColumn int) {
	const side = 16
	for i := fromRow; i < toRow; i += side {
		for j := fromColumn; j < toColumn; j++ {
			for r := i; r < min(i+side, toRow); r++ {
				m.dst[j*m.dstStride+r] = m.src[r*m.srcStride+j]
			}
		}
	}
}

// fits tells whether a matrix of rows by columns lies within a slice.
func fits(name string, length, stride, rows, columns int) error {
	switch {
	case rows < 0 || columns < 0 || stride < columns:
		return fmt.Errorf("%s has %d rows of %d columns, %d apart: expected none negative and rows that do not overlap",
			name, rows, columns, stride)
	case rows > 0 && columns > 0 && (length < columns || (length-columns)/stride < rows-1):
		return fmt.Errorf("%s has %d elements: expected at least %d for %d rows of %d columns, %d apart",
			name, length, (rows-1)*stride+columns, rows, columns, stride)
	}
	return nil
}

// CopyRows sets dst[i*dstStride+j] to src[i*srcStride+j] for all i < rows and
// j < columns. An error says which of them is too short for its shape.
func CopyRows[T Float](dst []T, dstStride int, src []T, srcStride, rows, columns int) error {
	if err := fits("src", len(src), srcStride, rows, columns); err != nil {
		return err
	}
	if err := fits("dst", len(dst), dstStride, rows, columns); err != nil {
		return err
	}
	for i := range rows {
		copy(dst[i*dstStride:i*dstStride+columns], src[i*srcStride:])
	}
	return nil
}

// Gather sets dst[i] to src[i*stride] for a stride of at least 1, for as many
// elements as both have.
func Gather[T Float](dst, src []T, stride int) {
	if stride < 1 {
		return
	}
	for i := range min(len(dst), (len(src)+stride-1)/stride) {
		dst[i] = src[i*stride]
	}
}

// BroadcastRow sets every row of dst, of len(row) columns, to row.
func BroadcastRow[T Float](dst, row []T) {
	for len(row) > 0 && len(dst) >= len(row) {
		dst = dst[copy(dst, row):]
	}
}

// BroadcastColumn sets each element of row i of dst to column[i], for as many
// rows of the given number of columns as both have.
func BroadcastColumn[T Float](dst, column []T, columns int) {
	fill := of[T](chosen).fill
	eachRow(len(column), len(dst), columns, func(i int) { fill(dst[i*columns:(i+1)*columns], column[i]) })
}
