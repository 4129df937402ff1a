package ops

import (
	"encoding/binary"
	"math/bits"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// RandomBits fills out with random bits and sets newState to the state with
// which to continue. state and newState are of compute.RNGStateShape and may be
// the same tensor. Booleans are random, not their bits.
//
// The generator is Philox4x32-10 of Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3" (2011): element 0 of the state is the key, elements 1 and 2
// are the low and high half of a counter that advances by one per 16 bytes.
func RandomBits(newState, out, state tensor.Tensor) error {
	const op = "random bits"
	if err := checkTensors(op, newState, out, state); err != nil {
		return err
	}
	for _, t := range []tensor.Tensor{newState, state} {
		if err := checkShape(op, "state", t, compute.RNGStateShape.DType, compute.RNGStateShape.Dimensions); err != nil {
			return err
		}
	}
	s := [3]uint64(tensor.Of[uint64](state))
	memory := out.Bytes()
	for len(memory) > 0 {
		random := philox(s[1], s[2], s[0])
		memory = memory[copy(memory, random[:]):]
		var carry uint64
		s[1], carry = bits.Add64(s[1], 1, 0)
		s[2] += carry
	}
	copy(tensor.Of[uint64](newState), s[:])
	if out.Shape.DType == dtypes.Bool {
		raw := out.Bytes()
		for i := range raw {
			raw[i] &= 1
		}
	}
	return nil
}

// The constants of Philox4x32: multipliers of the rounds and the Weyl sequence
// of the keys.
const (
	philoxRounds      = 10
	philoxMultiplier0 = 0xD2511F53
	philoxMultiplier1 = 0xCD9E8D57
	philoxWeyl0       = 0x9E3779B9
	philoxWeyl1       = 0xBB67AE85
)

// philox returns the block of random bytes at a counter.
func philox(counterLow, counterHigh, key uint64) (random [16]byte) {
	c0, c1 := uint32(counterLow), uint32(counterLow>>32)
	c2, c3 := uint32(counterHigh), uint32(counterHigh>>32)
	k0, k1 := uint32(key), uint32(key>>32)
	for range philoxRounds {
		high0, low0 := bits.Mul32(philoxMultiplier0, c0)
		high1, low1 := bits.Mul32(philoxMultiplier1, c2)
		c0, c1, c2, c3 = high1^c1^k0, low1, high0^c3^k1, low0
		k0 += philoxWeyl0
		k1 += philoxWeyl1
	}
	for i, word := range [4]uint32{c0, c1, c2, c3} {
		binary.LittleEndian.PutUint32(random[4*i:], word)
	}
	return random
}
