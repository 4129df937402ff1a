package catalogue

import "github.com/descentml/descent/study"

// landscape are papers that explain what training finds: curvature, stability
// and generalisation.
var landscape = []Entry{
	{
		Paper: study.Paper{
			Name:    "hessian-spectrum",
			Title:   "Empirical Analysis of the Hessian of Over-Parametrized Neural Networks",
			Authors: "Levent Sagun, Utku Evci, V. Ugur Guney, Yann Dauphin, Leon Bottou",
			Venue:   "ICLR 2018 workshop",
			ArXiv:   "1706.04454",
			Purpose: "See how curved the loss is around a trained network, and whether two solutions share a basin",
			Summary: "The paper computes the eigenvalues of the loss's Hessian of small networks at the start and at the end of training. " +
				"Nearly all lie in a bulk at zero, and a few outliers, about as many as there are classes, depend on the data; widening the network adds to the bulk alone. " +
				"Solutions found with large and with small batches turn out to be joined by a straight line without a barrier, so that they are not in separate basins.",
		},
		Keywords: []string{"spectral density", "flat directions", "loss landscape", "loss surface", "saddle point", "mode connectivity", "linear interpolation", "Lanczos", "Gauss-Newton"},
	},
	{
		Paper: study.Paper{
			Name:    "sgd-stability",
			Title:   "The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent",
			Authors: "Lei Wu, Weijie J. Su",
			Venue:   "ICML 2023",
			ArXiv:   "2305.17490",
			Purpose: "Tell at which minima SGD can stay for a given learning rate and batch size",
			Summary: "A minimum that fits all data can hold SGD only if small deviations do not grow from step to step. " +
				"The paper shows that this bounds the trace of the Hessian by two over the learning rate, where gradient descent bounds the largest eigenvalue alone, and translates the bound into norms of two-layer ReLU and diagonal linear networks. " +
				"It concludes that stable minima of SGD generalise, the more so the larger the learning rate, and that the condition for gradient descent is too weak for that.",
		},
		Keywords: []string{"LR", "maximum learning rate", "stability threshold", "edge of stability", "flat minima", "sharpness", "implicit bias", "path norm", "interpolation"},
	},
	{
		Paper: study.Paper{
			Name:    "double-descent",
			Title:   "Understanding the Role of Optimization in Double Descent",
			Authors: "Chris Yuhao Liu, Jeffrey Flanigan",
			Venue:   "NeurIPS 2023 workshop",
			ArXiv:   "2312.03951",
			Purpose: "Explain why test error peaks, or fails to peak, where a model can just fit its data",
			Summary: "Test error against model size may rise to a peak at the interpolation threshold and then fall again, yet many people never see it. " +
				"The paper trains families of models of growing size under many optimizer settings and finds that the peak appears exactly where the optimizer reaches a very low training loss; poor conditioning, small learning rates or few iterations hide it. " +
				"It concludes that ordinary training seldom meets a harmful peak.",
		},
		Keywords: []string{"overparameterization", "bigger models generalize", "random features", "overfitting", "condition number", "bias variance"},
	},
	{
		Paper: study.Paper{
			Name:    "high-dim-dynamics",
			Title:   "High-dimensional dynamics of generalization error in neural networks",
			Authors: "Madhu S. Advani, Andrew M. Saxe, Haim Sompolinsky",
			Venue:   "Neural Networks 2020",
			ArXiv:   "1710.03667",
			Purpose: "Predict train and test error over the time of training, and when to stop",
			Summary: "For linear and wide one-hidden-layer models with about as many parameters as examples, random matrix theory gives the average train and test error at every moment of gradient descent in closed form. " +
				"Training too long costs most where parameters and samples are equally many; both smaller and much larger models are safe. " +
				"Large models are protected by directions that never move and by a gap in the spectrum, provided that the initial weights are small, so that they need no early stopping.",
		},
		Keywords: []string{"overtraining", "overfitting", "learning curves", "Marchenko-Pastur", "small initialization", "weight decay", "teacher student"},
	},
	{
		Paper: study.Paper{
			Name:    "grokking-lazy-rich",
			Title:   "Grokking as the Transition from Lazy to Rich Training Dynamics",
			Authors: "Tanishq Kumar, Blake Bordelon, Samuel J. Gershman, Cengiz Pehlevan",
			Venue:   "ICLR 2024",
			ArXiv:   "2310.06110",
			Purpose: "Decide whether a network whose test loss is flat will still generalise, and bring that on or remove it",
			Summary: "In grokking the test loss falls long after the training loss. " +
				"The paper explains it without weight decay: the network first acts as a fixed kernel method, fits the data without learning features, and learns them only later. " +
				"Two knobs, the scale of the output and the alignment of the initial kernel with the task, lengthen or remove the delay in polynomial regression; the scale does so too for digits, for a transformer on modular arithmetic and for a student of a teacher network.",
		},
		Keywords: []string{"delayed generalization", "sudden jump of test accuracy", "neural tangent kernel", "NTK", "kernel regime", "modular addition"},
	},
}
