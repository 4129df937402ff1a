package coding

import "math/bits"

// Residue is a number modulo [Modulus], from 0 on.
type Residue uint64

// Modulus is the prime 2^61 - 1.
const Modulus Residue = 1<<61 - 1

// FromInt is the residue of a number within half of the modulus of 0.
func FromInt(x int64) Residue {
	if x < 0 {
		return Residue(x + int64(Modulus))
	}
	return Residue(x)
}

// Int is the number nearest to 0 that has the residue.
func (a Residue) Int() int64 {
	if a > Modulus/2 {
		return int64(a) - int64(Modulus)
	}
	return int64(a)
}

// Plus is the sum.
func (a Residue) Plus(b Residue) Residue {
	c := a + b
	if c >= Modulus {
		c -= Modulus
	}
	return c
}

// Minus is the difference.
func (a Residue) Minus(b Residue) Residue {
	if a < b {
		a += Modulus
	}
	return a - b
}

// Times is the product. As 2^61 is 1, the bits from the 61st on are added to
// those below.
func (a Residue) Times(b Residue) Residue {
	high, low := bits.Mul64(uint64(a), uint64(b))
	c := Residue(low)&Modulus + Residue(high<<3|low>>61)
	if c >= Modulus {
		c -= Modulus
	}
	return c
}

// Inverse is the residue whose product with a is 1, by Fermat's theorem
// a^(p-2); 0 for 0.
func (a Residue) Inverse() Residue {
	result := Residue(1)
	for e := uint64(Modulus) - 2; e > 0; e >>= 1 {
		if e&1 == 1 {
			result = result.Times(a)
		}
		a = a.Times(a)
	}
	return result
}

// reduce brings a matrix into reduced row echelon form, its last column taking
// part without being a pivot, and returns the column of each pivot row.
func reduce(rows [][]Residue) (pivots []int) {
	columns := len(rows[0]) - 1
	for column := 0; column < columns && len(pivots) < len(rows); column++ {
		at := len(pivots)
		for at < len(rows) && rows[at][column] == 0 {
			at++
		}
		if at == len(rows) {
			continue
		}
		pivot := len(pivots)
		rows[pivot], rows[at] = rows[at], rows[pivot]
		scale := rows[pivot][column].Inverse()
		for j := column; j <= columns; j++ {
			rows[pivot][j] = rows[pivot][j].Times(scale)
		}
		for i, row := range rows {
			if i == pivot || row[column] == 0 {
				continue
			}
			factor := row[column]
			for j := column; j <= columns; j++ {
				row[j] = row[j].Minus(factor.Times(rows[pivot][j]))
			}
		}
		pivots = append(pivots, column)
	}
	return pivots
}

// consistent reports whether the rows of a reduced matrix below its pivots ask
// for nothing.
func consistent(rows [][]Residue, pivots []int) bool {
	last := len(rows[0]) - 1
	for _, row := range rows[len(pivots):] {
		if row[last] != 0 {
			return false
		}
	}
	return true
}
