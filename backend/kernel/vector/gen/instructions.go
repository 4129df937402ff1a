package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

type context = build.Context

// A form emits one instruction.
type form func(*context, ...operand.Op)

// An instruction has a form for each element type, and forms that broadcast
// their first operand from memory (AVX-512 only).
type instruction struct {
	single, double                   form
	singleBroadcast, doubleBroadcast form
}

// of returns the form for the machine's element type.
func (in instruction) of(m *machine) form {
	if m.double {
		return in.double
	}
	return in.single
}

// with returns the form that takes v as its first operand.
func (in instruction) with(m *machine, v value) form {
	switch {
	case !v.shared || !m.avx512:
		return in.of(m)
	case m.double:
		return in.doubleBroadcast
	default:
		return in.singleBroadcast
	}
}

// three adapts an instruction of exactly three operands.
func three(f func(*context, operand.Op, operand.Op, operand.Op)) form {
	return func(c *context, ops ...operand.Op) { f(c, ops[0], ops[1], ops[2]) }
}

// four adapts an instruction of exactly four operands.
func four(f func(*context, operand.Op, operand.Op, operand.Op, operand.Op)) form {
	return func(c *context, ops ...operand.Op) { f(c, ops[0], ops[1], ops[2], ops[3]) }
}

// two adapts an instruction of exactly two operands.
func two(f func(*context, operand.Op, operand.Op)) form {
	return func(c *context, ops ...operand.Op) { f(c, ops[0], ops[1]) }
}

var (
	move      = instruction{single: (*context).VMOVAPS, double: (*context).VMOVAPD}
	unaligned = instruction{single: (*context).VMOVUPS, double: (*context).VMOVUPD}
	zeroing   = instruction{single: three((*context).VMOVUPS_Z), double: three((*context).VMOVUPD_Z)}
	masked    = instruction{single: three((*context).VMASKMOVPS), double: three((*context).VMASKMOVPD)}
	broadcast = instruction{single: (*context).VBROADCASTSS, double: broadcastDouble}

	addition       = instruction{(*context).VADDPS, (*context).VADDPD, (*context).VADDPS_BCST, (*context).VADDPD_BCST}
	subtraction    = instruction{(*context).VSUBPS, (*context).VSUBPD, (*context).VSUBPS_BCST, (*context).VSUBPD_BCST}
	multiplication = instruction{(*context).VMULPS, (*context).VMULPD, (*context).VMULPS_BCST, (*context).VMULPD_BCST}
	division       = instruction{(*context).VDIVPS, (*context).VDIVPD, (*context).VDIVPS_BCST, (*context).VDIVPD_BCST}
	maximum        = instruction{(*context).VMAXPS, (*context).VMAXPD, (*context).VMAXPS_BCST, (*context).VMAXPD_BCST}
	minimum        = instruction{(*context).VMINPS, (*context).VMINPD, (*context).VMINPS_BCST, (*context).VMINPD_BCST}
	squareRoot     = instruction{single: (*context).VSQRTPS, double: (*context).VSQRTPD}
	rounding       = instruction{single: three((*context).VROUNDPS), double: three((*context).VROUNDPD)}
	roundingScale  = instruction{single: (*context).VRNDSCALEPS, double: (*context).VRNDSCALEPD}
	scaling        = instruction{single: (*context).VSCALEFPS, double: (*context).VSCALEFPD}

	fma213  = instruction{(*context).VFMADD213PS, (*context).VFMADD213PD, (*context).VFMADD213PS_BCST, (*context).VFMADD213PD_BCST}
	fma231  = instruction{(*context).VFMADD231PS, (*context).VFMADD231PD, (*context).VFMADD231PS_BCST, (*context).VFMADD231PD_BCST}
	fms213  = instruction{(*context).VFMSUB213PS, (*context).VFMSUB213PD, (*context).VFMSUB213PS_BCST, (*context).VFMSUB213PD_BCST}
	fnma231 = instruction{(*context).VFNMADD231PS, (*context).VFNMADD231PD, (*context).VFNMADD231PS_BCST, (*context).VFNMADD231PD_BCST}

	bitAnd    = instruction{(*context).VANDPS, (*context).VANDPD, (*context).VANDPS_BCST, (*context).VANDPD_BCST}
	bitAndNot = instruction{(*context).VANDNPS, (*context).VANDNPD, (*context).VANDNPS_BCST, (*context).VANDNPD_BCST}
	bitOr     = instruction{(*context).VORPS, (*context).VORPD, (*context).VORPS_BCST, (*context).VORPD_BCST}
	bitXor    = instruction{(*context).VXORPS, (*context).VXORPD, (*context).VXORPS_BCST, (*context).VXORPD_BCST}

	intAdd     = instruction{(*context).VPADDD, (*context).VPADDQ, (*context).VPADDD_BCST, (*context).VPADDQ_BCST}
	shiftLeft  = instruction{single: (*context).VPSLLD, double: (*context).VPSLLQ}
	shiftRight = instruction{single: (*context).VPSRLD, double: (*context).VPSRLQ}

	comparison          = instruction{single: (*context).VCMPPS, double: (*context).VCMPPD}
	comparisonBroadcast = instruction{single: (*context).VCMPPS_BCST, double: (*context).VCMPPD_BCST}
	blendByVector       = instruction{single: four((*context).VBLENDVPS), double: four((*context).VBLENDVPD)}
	blendByMask         = instruction{blend(x86.VBLENDMPS), blend(x86.VBLENDMPD), blend(x86.VBLENDMPS_BCST), blend(x86.VBLENDMPD_BCST)}
	signs               = instruction{single: two((*context).VMOVMSKPS), double: two((*context).VMOVMSKPD)}
)

func broadcastDouble(c *context, ops ...operand.Op) { c.VBROADCASTSD(ops[0], ops[1]) }

// blend adapts a blend by mask register, which overwrites all of its
// destination; avo takes it to merge, as other masked instructions do, and
// would keep the destination alive from the start of the function.
func blend(create func(...operand.Op) (*ir.Instruction, error)) form {
	return func(c *context, ops ...operand.Op) {
		i, err := create(ops...)
		if err != nil {
			panic(err)
		}
		i.Inputs = ops[:3]
		c.Instruction(i)
	}
}
