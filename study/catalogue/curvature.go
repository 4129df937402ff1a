package catalogue

import "github.com/descentml/descent/study"

// curvature are papers on steps that use second-order information or the best
// part of it.
var curvature = []Entry{
	{
		Paper: study.Paper{
			Name:    "m-fac",
			Title:   "M-FAC: Efficient Matrix-Free Approximations of Second-Order Information",
			Authors: "Elias Frantar, Eldar Kurtic, Dan Alistarh",
			Venue:   "NeurIPS 2021",
			ArXiv:   "2107.03356",
			Purpose: "Take full-matrix natural-gradient steps, or prune a network, without ever forming a matrix",
			Summary: "Natural gradient steps and second-order pruning need products with the inverse of the Fisher matrix, which is far too large to store. " +
				"M-FAC keeps the last gradients alone and obtains those products from them exactly, in time linear in the number of parameters; one variant serves a fixed set of gradients, another a sliding window. " +
				"The paper claims pruned models that stay accurate at high sparsity, and better fine-tuning than Adam of small language models.",
		},
		Keywords: []string{"second order optimizer", "inverse-Hessian-vector products", "Hessian-free", "compression", "optimal brain surgeon", "K-FAC", "WoodFisher", "preconditioner"},
	},
	{
		Paper: study.Paper{
			Name:    "gradient-normalized-smoothness",
			Title:   "Gradient-Normalized Smoothness for Optimization with Approximate Hessians",
			Authors: "Andrei Semenov, Martin Jaggi, Nikita Doikov",
			Venue:   "ICLR 2026",
			ArXiv:   "2506.13710",
			Purpose: "Minimise a smooth function of up to a few thousand variables with a Newton method that needs no tuning",
			Summary: "Newton's method is fast near a solution but may diverge far from it, and the exact Hessian is often too dear. " +
				"The paper regularises Newton steps by the norm of the gradient, lets any positive semidefinite stand-in such as Fisher or Gauss-Newton take the Hessian's place, and searches a single step-size parameter. " +
				"One rule thus adapts to many classes of smoothness without knowing their constants, and is nearly as fast with the stand-in as with the exact Hessian.",
		},
		Keywords: []string{"second order", "globally convergent", "quasi-Newton", "automatic step size", "Levenberg-Marquardt", "full batch solver"},
	},
	{
		Paper: study.Paper{
			Name:    "greedy-bcd",
			Title:   "Let's Make Block Coordinate Descent Converge Faster: Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence",
			Authors: "Julie Nutini, Issam Laradji, Mark Schmidt",
			Venue:   "JMLR 2022",
			ArXiv:   "1712.08859",
			Purpose: "Minimise over many variables by updating the best block at each step, without a learning rate",
			Summary: "Block coordinate descent updates a few variables at a time; how the blocks are formed, which one is chosen and how it is updated are three separate choices. " +
				"The paper gives greedy rules that promise more progress than the classical one, and Newton updates of huge blocks by message passing where the dependencies form a forest. " +
				"It bounds the number of steps until the active set of a sparse solution is found, after which convergence is superlinear or even finite.",
		},
		Keywords: []string{"Gauss-Southwell", "lasso", "L1", "non-negative least squares", "logistic regression", "support vector machine dual", "label propagation", "working set"},
	},
}
