package backend

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/program"
)

// capabilities has what programs can run, and what functions decompose into it.
var capabilities = compute.Capabilities{
	Functions:   true,
	DynamicAxes: true,
	Operations:  supportedOperations(),
	DTypes: map[dtypes.DType]bool{
		dtypes.Bool: true,
		dtypes.Int2: true, dtypes.Int4: true, dtypes.Int8: true, dtypes.Int16: true, dtypes.Int32: true, dtypes.Int64: true,
		dtypes.Uint2: true, dtypes.Uint4: true, dtypes.Uint8: true, dtypes.Uint16: true, dtypes.Uint32: true, dtypes.Uint64: true,
		dtypes.Float16: true, dtypes.BFloat16: true, dtypes.Float32: true, dtypes.Float64: true,
	},
}

func supportedOperations() map[compute.OpType]bool {
	operations := program.Operations()
	for _, op := range []compute.OpType{
		compute.OpTypeParameter, compute.OpTypeConstant, compute.OpTypeIsNaN, compute.OpTypeClamp, compute.OpTypeDot,
		compute.OpTypeNotEqualTotalOrder,
		compute.OpTypeFusedDense, compute.OpTypeFusedAttentionQKVProjection,
	} {
		operations[op] = true
	}
	return operations
}
