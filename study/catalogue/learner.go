package catalogue

import "github.com/descentml/descent/study"

// learner are papers on whole procedures that own their model.
var learner = []Entry{
	{
		Paper: study.Paper{
			Name:    "gbnn",
			Title:   "Sequential Training of Neural Networks with Gradient Boosting",
			Authors: "Seyedsaman Emami, Gonzalo Martínez-Muñoz",
			Venue:   "IEEE Access 2023",
			ArXiv:   "1909.12098",
			Purpose: "Grow a network for a table a few neurons at a time, as gradient boosting grows trees",
			Summary: "Each stage trains a small group of hidden units on what the groups before it left unexplained; together they are one ordinary network with one hidden layer. " +
				"The last groups can be switched off at prediction time to trade accuracy for speed. " +
				"The paper claims accuracy that competes with networks trained as a whole by Adam, L-BFGS or SGD on classification and regression, with less overfitting as the number of neurons grows.",
		},
		Keywords: []string{"small tabular data", "small data", "additive model", "pseudo-residuals", "XGBoost", "anytime prediction", "MLP"},
	},
	{
		Paper: study.Paper{
			Name:    "convex-relu-admm",
			Title:   "Efficient Global Optimization of Two-layer ReLU Networks: Quadratic-time Algorithms and Adversarial Training",
			Authors: "Yatong Bai, Tanmay Gautam, Somayeh Sojoudi",
			Venue:   "SIAM J. Math. Data Sci. 2022",
			ArXiv:   "2201.01965",
			Purpose: "Train a two-layer network to a certified global optimum, or to provable robustness",
			Summary: "Training a two-layer ReLU network with weight decay equals a convex program over the patterns in which its units are active. " +
				"The paper solves the program, with all or with sampled patterns, by the alternating direction method of multipliers, and proposes a still simpler lasso on random features. " +
				"It claims convergence to the global optimum with iterations of quadratic cost where interior points need cubic, and a convex form of adversarial training that is more robust than training on attacked examples.",
		},
		Keywords: []string{"convex neural network", "convex reformulation", "ADMM", "guarantee", "certificate", "perturbed inputs", "no local minima", "reproducible training"},
	},
	{
		Paper: study.Paper{
			Name:    "doge-merging",
			Title:   "Modeling Multi-Task Model Merging as Adaptive Projective Gradient Descent",
			Authors: "Yongxian Wei, Anke Tang, Li Shen, Zixuan Hu, Chun Yuan, Xiaochun Cao",
			Venue:   "ICML 2025",
			ArXiv:   "2501.01230",
			Purpose: "Merge copies of one network that were fine-tuned on different tasks, without their data",
			Summary: "One pre-trained network was fine-tuned into an expert per task, the data are gone, and one network for all tasks is wanted without training again. " +
				"DOGE optimises a common correction of the experts' weight differences so that the merged model repeats each expert's own step, leaves the directions that the tasks share untouched, and scales every task per layer. " +
				"The paper claims consistently better merged models than averaging, task arithmetic and Ties, also when added to other merging methods.",
		},
		Keywords: []string{"model soup", "checkpoints", "data-free", "task vectors", "LoRA", "ensemble", "AdaMerging"},
	},
	{
		Paper: study.Paper{
			Name:    "paretognn",
			Title:   "Multi-task Self-supervised Graph Neural Networks Enable Stronger Task Generalization",
			Authors: "Mingxuan Ju, Tong Zhao, Qianlong Wen, Wenhao Yu, Neil Shah, Yanfang Ye, Chuxu Zhang",
			Venue:   "ICLR 2023",
			ArXiv:   "2210.02016",
			Purpose: "Embed the nodes of a graph without labels, for several later tasks at once",
			Summary: "A graph encoder trained on a single self-supervised objective tends to serve one later task well and others badly. " +
				"ParetoGNN trains one encoder on five such objectives and weighs their gradients so that the step lowers all of them. " +
				"The paper claims the best overall performance over node classification, clustering, link prediction and partition prediction on eleven graphs.",
		},
		Keywords: []string{"GNN", "GCN", "node embeddings", "unlabeled", "pretraining", "pretext tasks", "contrastive", "MGDA", "social network", "representation learning"},
	},
	{
		Paper: study.Paper{
			Name:    "mdpo",
			Title:   "Mirror Descent Policy Optimization",
			Authors: "Manan Tomar, Lior Shani, Yonathan Efroni, Mohammad Ghavamzadeh",
			Venue:   "ICLR 2022",
			ArXiv:   "2005.09814",
			Purpose: "Train a policy in small trusted moves, with plain gradient steps",
			Summary: "TRPO keeps a policy close to the last one by a constrained second-order step, PPO by clipping. " +
				"Mirror descent policy optimization takes several gradient steps on the linearised return minus a divergence from the last policy, on-policy or with replay. " +
				"The paper claims results on par with or better than TRPO, PPO and SAC on continuous control, though its own table has TRPO ahead on one task; it also finds that many inner steps are needed and that TRPO beats PPO.",
		},
		Keywords: []string{"reinforcement learning", "RL", "trust region", "controller", "robot", "actor-critic", "MuJoCo", "alternative to PPO", "soft actor critic", "KL divergence"},
	},
	{
		Paper: study.Paper{
			Name:    "mogfn",
			Title:   "Multi-Objective GFlowNets",
			Authors: "Moksh Jain, Sharath Chandra Raparthy, Alex Hernández-García, Jarrid Rector-Brooks, Yoshua Bengio, Santiago Miret, Emmanuel Bengio",
			Venue:   "ICML 2023",
			ArXiv:   "2210.12765",
			Purpose: "Sample many different objects that are good for every trade-off of several scores",
			Summary: "A GFlowNet learns to build discrete objects step by step with probability proportional to their reward. " +
				"Conditioned on preferences between several conflicting scores, one trained sampler covers the whole Pareto front; a second method proposes candidates for multi-objective Bayesian optimization when scoring is expensive. " +
				"The paper claims candidates that are more diverse than those of reinforcement learning at comparable quality, on grids, strings, molecules and proteins.",
		},
		Keywords: []string{"multiple objectives", "molecule generation", "drug design", "protein design", "DNA", "hypervolume", "generative model"},
	},
	{
		Paper: study.Paper{
			Name:    "pi-hc-moe",
			Title:   "Scaling physics-informed hard constraints with mixture-of-experts",
			Authors: "Nithin Chalapathi, Yiheng Du, Aditi S. Krishnapriyan",
			Venue:   "ICLR 2024",
			ArXiv:   "2402.13412",
			Purpose: "Learn to solve a partial differential equation, with the equation enforced at prediction time too",
			Summary: "A network proposes basis functions and a solver inside its forward pass picks the combination that satisfies the equation at sampled points, so that no solution data are needed. " +
				"The method splits space and time into parts with a small solve each, all over the same basis, and differentiates through the solvers by the implicit function theorem. " +
				"On diffusion-sorption and Navier-Stokes the paper reports lower errors than one large solve and than soft penalties, and training and inference up to an order of magnitude faster than the single solve.",
		},
		Keywords: []string{"PDE", "PINN", "physics-informed neural network", "neural operator", "surrogate of a simulator", "scientific machine learning", "fluid", "MoE"},
	},
}
