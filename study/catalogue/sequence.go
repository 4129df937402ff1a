package catalogue

import "github.com/descentml/descent/study"

// sequence are papers on attention and recurrent memory.
var sequence = []Entry{
	{
		Paper: study.Paper{
			Name:    "deltaproduct",
			Title:   "DeltaProduct: Improving State-Tracking in Linear RNNs via Householder Products",
			Authors: "Julien Siems, Timur Carstensen, Arber Zela, Frank Hutter, Massimiliano Pontil, Riccardo Grazzi",
			Venue:   "NeurIPS 2025",
			ArXiv:   "2502.10297",
			Purpose: "Track a state exactly over long sequences with a model whose cost is linear in their length",
			Summary: "Linear recurrent models are cheap on long sequences, but those with diagonal transitions cannot follow even parity. " +
				"DeltaNet takes one gradient step per token on an associative memory; DeltaProduct takes several, so that its transition is a product of Householder factors whose number trades speed for expressive power. " +
				"The paper claims that more factors per token solve the composition of larger permutation groups in one layer, and extend to sequences longer than those of training.",
		},
		Keywords: []string{"recurrent neural network", "linear attention", "state space model", "SSM", "Mamba", "fast weights", "delta rule", "automaton", "finite state machine", "length extrapolation", "long context"},
	},
	{
		Paper: study.Paper{
			Name:    "icl-meta-gd",
			Title:   "Why Can GPT Learn In-Context? Language Models Implicitly Perform Gradient Descent as Meta-Optimizers",
			Authors: "Damai Dai, Yutao Sun, Li Dong, Yaru Hao, Shuming Ma, Zhifang Sui, Furu Wei",
			Venue:   "Findings of ACL 2023",
			ArXiv:   "2212.10559",
			Purpose: "Measure whether demonstrations in a prompt change a transformer as fine-tuning on them would",
			Summary: "Linear attention over demonstrations has the same algebraic form as a gradient step of a linear layer, so a prompt can be read as training. " +
				"The paper compares zero-shot use, demonstrations in the prompt and fine-tuning of GPT models by predictions, outputs of the layers and attention weights, and finds that prompting behaves much like fine-tuning. " +
				"It also derives attention with momentum, which lowers perplexity a little and raises accuracy. Later work found similar scores for untrained models.",
		},
		Keywords: []string{"ICL", "few-shot prompting", "large language model", "LLM", "meta-learning"},
	},
	{
		Paper: study.Paper{
			Name:    "transformers-svm",
			Title:   "Transformers as Support Vector Machines",
			Authors: "Davoud Ataee Tarzanagh, Yingcong Li, Christos Thrampoulidis, Samet Oymak",
			Venue:   "NeurIPS 2023 workshop",
			ArXiv:   "2308.16898",
			Purpose: "Predict where gradient descent takes the weights of an attention layer",
			Summary: "Trained long enough, the key-query weights of a softmax attention layer grow without bound while their direction settles. " +
				"The paper shows that the direction is the solution of a support vector machine that separates one selected token of each sequence from the others with the largest margin. " +
				"Training the product of keys and queries favours a small Frobenius norm, training the factors a small nuclear norm and so low rank; with more parameters the best tokens are selected more often.",
		},
		Keywords: []string{"implicit bias", "self-attention", "max-margin", "SVM", "theory of transformers"},
	},
}
