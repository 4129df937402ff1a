package catalogue

import "github.com/descentml/descent/study"

// firstOrder are papers on steps along the gradient and their length.
var firstOrder = []Entry{
	{
		Paper: study.Paper{
			Name:    "diffgrad",
			Title:   "diffGrad: An Optimization Method for Convolutional Neural Networks",
			Authors: "Shiv Ram Dubey, Soumendu Chakraborty, Swalpa Kumar Roy, Snehasis Mukherjee, Satish Kumar Singh, Bidyut Baran Chaudhuri",
			Venue:   "IEEE TNNLS 2020",
			ArXiv:   "1909.11015",
			Purpose: "Brake Adam near a minimum, so that it does not shoot past it",
			Summary: "Adam keeps long steps even where the gradient hardly changes any more and overshoots narrow minima. " +
				"diffGrad multiplies each coordinate's Adam step by a friction between one half and one that grows with the change of that coordinate's gradient since the last step. " +
				"The paper claims that it settles in global minima of one-dimensional functions that Adam passes, and that it trains residual networks on CIFAR to higher accuracy than Adam, AMSGrad and SGD with momentum.",
		},
		Keywords: []string{"adaptive optimizer", "drop-in replacement", "oscillation", "alternative to Adam", "image classification"},
	},
	{
		Paper: study.Paper{
			Name:    "schedule-refinement",
			Title:   "When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement",
			Authors: "Aaron Defazio, Ashok Cutkosky, Harsh Mehta, Konstantin Mishchenko",
			Venue:   "arXiv 2023",
			ArXiv:   "2310.07831",
			Purpose: "Choose the learning rate schedule of a run of fixed length, and improve it from the last run",
			Summary: "Theory usually speaks of averaged iterates, practice returns the last one, and for that one the shape of the schedule matters. " +
				"The paper derives linear decay to zero as the schedule to use when nothing is known, and a refinement that turns the gradient norms recorded in one run into the schedule of the next. " +
				"It claims that linear decay matches or beats cosine and the other usual schedules on a wide range of tasks, and that refined schedules discover warm-up and fast final annealing by themselves.",
		},
		Keywords: []string{"LR", "step decay", "budget of steps"},
	},
	{
		Paper: study.Paper{
			Name:    "rmt-learning-rates",
			Title:   "Learning Rates as a Function of Batch Size: A Random Matrix Theory Approach to Neural Network Training",
			Authors: "Diego Granziol, Stefan Zohren, Stephen Roberts",
			Venue:   "JMLR 2022",
			ArXiv:   "2006.09092",
			Purpose: "Rescale the learning rate when the batch size changes, or read it from the curvature",
			Summary: "The curvature seen by a mini-batch is that of the data plus noise, and random matrix theory says how much larger its top eigenvalue is. " +
				"From this follow scaling rules: linear in the batch size for SGD up to a saturation point, square root for Adam and its relatives. " +
				"The paper also reads learning rate and momentum from a Lanczos run on a mini-batch Hessian during training, and reports that this does without a grid search.",
		},
		Keywords: []string{"LR", "bigger batch", "tune the learning rate automatically"},
	},
	{
		Paper: study.Paper{
			Name:    "large-step-logistic",
			Title:   "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient Descent with Large Step Sizes",
			Authors: "Alexander Tyurin",
			Venue:   "AAAI 2025",
			ArXiv:   "2412.08424",
			Purpose: "Separate two classes fast with steps far beyond the stable size",
			Summary: "On separable data, gradient descent on the logistic loss still finds a separator when its step size is huge and the loss jumps up and down. " +
				"The paper shows that such a run becomes a batch perceptron, so that the value of the loss says nothing about progress. " +
				"It proposes a normalized variant whose bound on the iterations does not contain the number of samples, and which helps on imbalanced data.",
		},
		Keywords: []string{"binary classification", "linear classifier", "linearly separable", "edge of stability", "margin", "very large learning rate"},
	},
	{
		Paper: study.Paper{
			Name:    "sso",
			Title:   "Target-based Surrogates for Stochastic Optimization",
			Authors: "Jonathan Wilder Lavington, Sharan Vaswani, Reza Babanezhad, Mark Schmidt, Nicolas Le Roux",
			Venue:   "ICML 2023",
			ArXiv:   "2302.02607",
			Purpose: "Make several cheap model updates for each expensive gradient of the loss",
			Summary: "Sometimes the gradient of the loss with respect to the model's outputs is the costly part: it needs a rollout of a simulator, an expert's answer or a pass over much data. " +
				"The method takes that gradient once, builds from it a quadratic surrogate in the space of the outputs, and makes many updates of the model on the surrogate before it asks again. " +
				"The paper proves that the surrogate bounds the loss from above for a small enough step and shows gains in supervised and imitation learning.",
		},
		Keywords: []string{"costly labels", "behavioural cloning", "expert queries", "line search", "majorization minimization", "expensive loss"},
	},
}
