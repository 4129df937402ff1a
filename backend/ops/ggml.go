package ops

import (
	"encoding/binary"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes/float16"
)

// dequantizers turn one block of a GGML format into its values. The formats are
// those of llama.cpp's ggml-quants.
var dequantizers = map[compute.GGMLQuantType]func(values []float32, block []uint8){
	compute.GGMLQ4_0: func(values []float32, block []uint8) {
		dequantizeNibbles(values, block, func(nibble uint8) float32 { return float32(nibble) - 8 })
	},
	compute.GGMLIQ4NL: func(values []float32, block []uint8) {
		dequantizeNibbles(values, block, func(nibble uint8) float32 { return compute.IQ4NLLookupTable[nibble] })
	},
	compute.GGMLQ8_0: dequantizeBytes,
	compute.GGMLQ4_K: dequantize4K,
	compute.GGMLQ6_K: dequantize6K,
}

// half reads a little-endian float16.
func half(bytes []uint8) float32 {
	return float16.FromBits(binary.LittleEndian.Uint16(bytes)).Float32()
}

// dequantizeNibbles reads a scale and 16 bytes: the low nibbles are the first
// half of the values, the high ones the second.
func dequantizeNibbles(values []float32, block []uint8, value func(nibble uint8) float32) {
	scale := half(block)
	for i, pair := range block[2:18] {
		values[i] = scale * value(pair&0xF)
		values[i+16] = scale * value(pair>>4)
	}
}

// dequantizeBytes reads a scale and 32 signed bytes.
func dequantizeBytes(values []float32, block []uint8) {
	scale := half(block)
	for i, value := range block[2:34] {
		values[i] = scale * float32(int8(value))
	}
}

// dequantize4K reads two scales, of the factors and of the offsets; 12 bytes with
// 8 factors and 8 offsets of 6 bits; and 128 bytes of nibbles. Each 32 bytes hold
// 32 values in their low nibbles, then 32 in their high ones, each with a factor
// and an offset that is subtracted.
func dequantize4K(values []float32, block []uint8) {
	scale, offsetScale := half(block), half(block[2:])
	packed, nibbles := block[4:16], block[16:]
	for group := range 8 {
		factor, offset := sixBits(packed, group)
		multiplier, subtracted := scale*float32(factor), offsetScale*float32(offset)
		shift := group % 2 * 4
		for i, pair := range nibbles[group/2*32:][:32] {
			values[group*32+i] = multiplier*float32(pair>>shift&0xF) - subtracted
		}
	}
}

// sixBits reads the factor and the offset of a group from 12 bytes: those of the
// first four groups are the low 6 bits of bytes 0 to 3 and 4 to 7; those of the
// others have their low 4 bits in bytes 8 to 11 and their high 2 bits on top of
// the former.
func sixBits(packed []uint8, group int) (factor, offset uint8) {
	if group < 4 {
		return packed[group] & 63, packed[group+4] & 63
	}
	low := packed[group+4]
	return low&0xF | packed[group-4]>>6<<4, low>>4 | packed[group]>>6<<4
}

// dequantize6K reads 128 bytes of low nibbles, 64 bytes of high pairs of bits, 16
// signed factors for 16 values each, and a scale. Each half of the values has four
// quarters of 32: two share each byte of low nibbles, all four one of high bits.
func dequantize6K(values []float32, block []uint8) {
	low, high, factors := block[:128], block[128:192], block[192:208]
	scale := half(block[208:])
	for i := range values {
		part, quarter, position := i/128, i/32%4, i%32
		nibble := low[part*64+quarter%2*32+position] >> (quarter / 2 * 4) & 0xF
		top := high[part*32+position] >> (quarter * 2) & 3
		factor := float32(int8(factors[i/16]))
		values[i] = scale * factor * float32(int(nibble|top<<4)-32)
	}
}
