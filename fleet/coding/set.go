package coding

import (
	"encoding/hex"
	"fmt"
	"math/bits"
)

// Set is a set of workers, numbered from 0, as bits. Its length bounds what it
// holds; make it with [NewSet]. It is written in JSON as hexadecimal text.
type Set []uint64

// NewSet makes a set for the given number of workers that holds the members.
func NewSet(workers int, members ...int) Set {
	s := make(Set, (workers+63)/64)
	for _, m := range members {
		s.Add(m)
	}
	return s
}

// Add puts a worker into the set.
func (s Set) Add(worker int) { s[worker/64] |= 1 << (worker % 64) }

// Remove takes a worker out of the set.
func (s Set) Remove(worker int) { s[worker/64] &^= 1 << (worker % 64) }

// Has reports whether a worker is in the set.
func (s Set) Has(worker int) bool { return s[worker/64]>>(worker%64)&1 == 1 }

// Count is the number of workers in the set.
func (s Set) Count() int {
	count := 0
	for _, word := range s {
		count += bits.OnesCount64(word)
	}
	return count
}

// Empty reports whether nobody is in the set.
func (s Set) Empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// Members lists the workers of the set in ascending order.
func (s Set) Members() []int {
	var members []int
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			members = append(members, 64*i+bits.TrailingZeros64(word))
		}
	}
	return members
}

// Clone is a copy of the set.
func (s Set) Clone() Set { return append(Set(nil), s...) }

// include adds the workers of another set.
func (s Set) include(other Set) {
	for i, word := range other {
		s[i] |= word
	}
}

// Meets reports whether the sets have a worker in common.
func (s Set) Meets(other Set) bool {
	for i, word := range other {
		if s[i]&word != 0 {
			return true
		}
	}
	return false
}

// MarshalText writes the set as hexadecimal digits, sixteen for 64 workers.
func (s Set) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 8*len(s))
	for _, word := range s {
		for shift := 0; shift < 64; shift += 8 {
			raw = append(raw, byte(word>>shift))
		}
	}
	return hex.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Set) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw)%8 != 0 {
		return fmt.Errorf("set of workers %q: expected sixteen hexadecimal digits for each 64 workers", text)
	}
	*s = make(Set, len(raw)/8)
	for i, b := range raw {
		(*s)[i/8] |= uint64(b) << (8 * (i % 8))
	}
	return nil
}

// fits reports whether the set is one of the given number of workers.
func (s Set) fits(workers int) bool {
	if len(s) != (workers+63)/64 {
		return false
	}
	return workers%64 == 0 || s[len(s)-1]>>(workers%64) == 0
}
