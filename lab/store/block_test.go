package store

import (
	"bytes"
	"testing"
)

// FuzzDecode reads blocks of any bytes: what it accepts it writes again as it
// was, bit by bit.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, pointSize-1))
	f.Add(bytes.Repeat([]byte{0xff}, 3*pointSize)) // NaN
	f.Fuzz(func(t *testing.T, block []byte) {
		points, err := decode(block)
		if (err == nil) != (len(block)%pointSize == 0) {
			t.Fatalf("%d bytes: %v", len(block), err)
		}
		if err == nil && !bytes.Equal(encode(nil, points), block) {
			t.Fatalf("%x came back as %x", block, encode(nil, points))
		}
	})
}
