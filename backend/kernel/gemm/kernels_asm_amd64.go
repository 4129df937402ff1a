package gemm

import "github.com/descentml/descent/backend/kernel/cpu"

func kernels32(level cpu.Level) *kernels[float32] {
	switch level {
	case cpu.AVX512:
		return &kernels[float32]{
			lanes: 16, rows: 14, pitch: 16, masked: true, packing: packLate,
			byRows: avx512RowsFloat32, byColumns: avx512ColumnsFloat32, dots: avx512DotsFloat32, sums: avx512SumsFloat32,
			transpose: transposeFloat32, copyRows: copyRows,
		}
	case cpu.AVX2:
		return &kernels[float32]{
			lanes: 8, rows: 6, pitch: 8, partial: true, packing: packEarly,
			byRows: avx2RowsFloat32, byColumns: avx2ColumnsFloat32, dots: avx2DotsFloat32, sums: avx2SumsFloat32,
			transpose: transposeFloat32, copyRows: copyRows,
		}
	default:
		return portable[float32]()
	}
}

func kernels64(level cpu.Level) *kernels[float64] {
	switch level {
	case cpu.AVX512:
		return &kernels[float64]{
			lanes: 8, rows: 14, pitch: 16, masked: true, packing: packLate,
			byRows: avx512RowsFloat64, byColumns: avx512ColumnsFloat64, dots: avx512DotsFloat64, sums: avx512SumsFloat64,
			transpose: transposeFloat64, copyRows: copyRows,
		}
	case cpu.AVX2:
		return &kernels[float64]{
			lanes: 4, rows: 6, pitch: 8, partial: true, packing: packEarly,
			byRows: avx2RowsFloat64, byColumns: avx2ColumnsFloat64, dots: avx2DotsFloat64, sums: avx2SumsFloat64,
			transpose: transposeFloat64, copyRows: copyRows,
		}
	default:
		return portable[float64]()
	}
}
