package catalogue

import "github.com/descentml/descent/study"

// fleet are papers on training over many machines or many owners of data.
var fleet = []Entry{
	{
		Paper: study.Paper{
			Name:    "sequential-gradient-coding",
			Title:   "Sequential Gradient Coding For Straggler Mitigation",
			Authors: "M. Nikhil Krishnan, MohammadReza Ebrahimi, Ashish Khisti",
			Venue:   "ICLR 2023",
			ArXiv:   "2211.13802",
			Purpose: "Get exact gradients from unreliable workers without waiting for the slow ones",
			Summary: "Gradient coding gives workers overlapping pieces of data so that the full gradient can be decoded from any large enough part of them, at the price of much repeated work. " +
				"When a sequence of gradients is wanted and each may come a few rounds late, as when several models train in turn on one cluster, redundancy can be spread over time. " +
				"The two schemes of the paper tolerate the same stragglers at a much lower load; on 256 serverless workers the better one took 16 % less time than gradient coding.",
		},
		Keywords: []string{"slow workers", "crash", "dropped workers", "fault tolerance", "spot instances", "preemptible", "AWS Lambda", "distributed training", "data parallel", "coded computation"},
	},
	{
		Paper: study.Paper{
			Name:    "fedfix",
			Title:   "A General Theory for Federated Optimization with Asynchronous and Heterogeneous Clients Updates",
			Authors: "Yann Fraboni, Richard Vidal, Laetitia Kameni, Marco Lorenzi",
			Venue:   "JMLR 2023",
			ArXiv:   "2206.10189",
			Purpose: "Train over clients of different speed without waiting for the slowest or drifting to the fastest",
			Summary: "Synchronous federated averaging waits for the slowest client; without waiting, fast clients count too often and the result is that of another problem. " +
				"The paper writes synchronous, asynchronous and buffered averaging as one update with random weights, and says which weights make the limit the right one. " +
				"From it comes FedFix, which aggregates at fixed intervals whatever has arrived, and which is claimed to improve on both extremes.",
		},
		Keywords: []string{"FedAvg", "FedBuff", "federated learning", "staleness", "delays", "phones", "devices"},
	},
	{
		Paper: study.Paper{
			Name:    "federated-curricula",
			Title:   "When Do Curricula Work in Federated Learning?",
			Authors: "Saeed Vahidian, Sreevatsank Kadaveru, Woonjoon Baek, Weijia Wang, Vyacheslav Kungurtsev, Chen Chen, Mubarak Shah, Bill Lin",
			Venue:   "ICCV 2023",
			ArXiv:   "2212.12712",
			Purpose: "Train over clients whose data differ, in an order from easy to hard",
			Summary: "Federated learning suffers when the data of the clients have different distributions. " +
				"The paper lets each client show its samples from easy to hard, hard to easy or at random, with a growing share of them, and chooses the clients themselves by difficulty as well. " +
				"It claims that going from easy to hard largely makes up for the differences, the more so the more the clients differ, and that ordering clients adds to ordering samples.",
		},
		Keywords: []string{"curriculum learning", "non-IID", "heterogeneous data", "label skew", "client selection", "pacing", "hospitals", "FedAvg", "FedProx", "SCAFFOLD"},
	},
	{
		Paper: study.Paper{
			Name:    "fzoos",
			Title:   "Federated Zeroth-Order Optimization using Trajectory-Informed Surrogate Gradients",
			Authors: "Yao Shu, Xiaoqiang Lin, Zhongxiang Dai, Bryan Kian Hsiang Low",
			Venue:   "arXiv 2023",
			ArXiv:   "2308.04077",
			Purpose: "Minimise the mean of several owners' black-box functions with few queries and few messages",
			Summary: "Each client can only query the values of its own function, queries cost money, and the clients want to minimise the average together. " +
				"Instead of finite differences, each client fits a Gaussian process to all values that it has seen along the way and takes the gradient of that fit, corrected by a compact share of what the others know. " +
				"The paper claims fewer queries and fewer rounds of communication, in theory, on black-box attacks and on metrics without a gradient.",
		},
		Keywords: []string{"derivative-free", "several parties", "across organizations", "Bayesian optimization", "random features", "adversarial attack", "non-differentiable metric", "query efficient"},
	},
}
