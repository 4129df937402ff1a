package catalogue

import "github.com/descentml/descent/study"

// beyondOneLoss are papers on problems that are not the minimisation of one
// smooth function: nested, without gradients, moving, or several at once.
var beyondOneLoss = []Entry{
	{
		Paper: study.Paper{
			Name:    "bsvrb-bilevel",
			Title:   "Blockwise Stochastic Variance-Reduced Methods with Parallel Speedup for Multi-Block Bilevel Optimization",
			Authors: "Quanqi Hu, Zi-Hao Qiu, Zhishuai Guo, Lijun Zhang, Tianbao Yang",
			Venue:   "ICML 2023",
			ArXiv:   "2305.18730",
			Purpose: "Tune hyperparameters that many inner training problems share, touching only a few of them per step",
			Summary: "In bilevel optimization an outer variable, such as sample weights, is judged by the solutions of inner problems; here there are very many inner problems. " +
				"At each step the method samples a few of them and a small batch of each, and keeps variance-reduced running estimates of gradients and curvature for all. " +
				"The paper claims a speed-up that grows in parallel with the number of sampled problems and with the batch, and shows it on learning sample weights and on ranking.",
		},
		Keywords: []string{"hyperparameter optimization", "nested optimization", "inner and outer loop", "meta-learning", "hypergradient", "implicit differentiation", "sample reweighting", "noisy labels", "NDCG", "STORM"},
	},
	{
		Paper: study.Paper{
			Name:    "optimistic-omd",
			Title:   "Optimistic Online Mirror Descent for Bridging Stochastic and Adversarial Online Convex Optimization",
			Authors: "Sijia Chen, Yu-Jie Zhang, Wei-Wei Tu, Peng Zhao, Lijun Zhang",
			Venue:   "JMLR 2024",
			ArXiv:   "2302.04552",
			Purpose: "Predict on a stream whose distribution drifts, with small regret in every regime",
			Summary: "Online learning is studied for losses that are drawn independently or chosen by an adversary; real streams lie between, with a distribution that moves. " +
				"Optimistic mirror descent takes the last gradient as a guess of the next one. " +
				"The paper proves that its regret depends on the noise of the samples and on how far the mean loss moves alone, for convex, strongly convex and exp-concave losses, without being told which regime holds.",
		},
		Keywords: []string{"concept drift", "data stream", "non-stationary", "corruption", "dynamic regret", "follow the leader", "time series"},
	},
	{
		Paper: study.Paper{
			Name:    "cbo",
			Title:   "Gradient is All You Need?",
			Authors: "Konstantin Riedl, Timo Klock, Carina Geldhauser, Massimo Fornasier",
			Venue:   "arXiv 2023",
			ArXiv:   "2306.09778",
			Purpose: "Minimise a function from its values alone with a swarm of particles",
			Summary: "In consensus-based optimization particles drift towards a weighted mean that favours those with low values and explore by noise that shrinks with their distance to it. " +
				"The paper shows that this mean moves like stochastic gradient descent although no gradient is ever computed, by way of a simplified scheme and the proximal point iteration. " +
				"It concludes that noise fitted to the landscape lets descent cross barriers of nonconvex functions, and that methods without derivatives need not be inefficient.",
		},
		Keywords: []string{"derivative-free", "black-box", "zeroth order", "gradient-free", "particle swarm", "global optimization", "nonsmooth", "escape local minima", "simulated annealing", "evolutionary"},
	},
	{
		Paper: study.Paper{
			Name:    "flat-mtl",
			Title:   "Improving Multi-task Learning via Seeking Task-based Flat Regions",
			Authors: "Hoang Phan, Lam Tran, Quyen Tran, Ngoc N. Tran, Tuan Truong, Qi Lei, Nhat Ho, Dinh Phung, Trung Le",
			Venue:   "ICCV 2025",
			ArXiv:   "2211.13723",
			Purpose: "Train one network for several tasks whose gradients conflict, towards minima that are flat for each",
			Summary: "When tasks share a trunk their gradients conflict, and methods that balance them overfit small or noisy tasks. " +
				"The method gives each task a sharpness-aware gradient, splits it into a part that lowers the loss and a part that flattens it, and lets any gradient aggregator combine the two kinds separately. " +
				"The paper, published at last as \"Beyond Losses Reweighting\", claims higher accuracy for every aggregator that it wraps and fewer conflicts during training.",
		},
		Keywords: []string{"MTL", "shared layers", "negative transfer", "SAM", "sharpness aware minimization", "MGDA", "PCGrad", "CAGrad", "Nash", "loss weighting"},
	},
}
