package study

// Report is a judged study, as --json prints it.
type Report struct {
	Run    int64    `json:"run"`
	Paper  string   `json:"paper"`
	Preset Preset   `json:"preset"`
	Seeds  []uint64 `json:"seeds"`
	Claims []Judged `json:"claims"`
}

// Judged is a claim with its verdict.
type Judged struct {
	ID        string  `json:"id"`
	Central   bool    `json:"central"`
	Statement string  `json:"statement"`
	Figure    string  `json:"figure"` // the paper's; "" if it gives none
	Source    string  `json:"source"` // of the paper's figure, or "unverified"
	Measure   string  `json:"measure"`
	Ours      string  `json:"ours"`
	Criterion string  `json:"criterion"`
	Verdict   Verdict `json:"verdict"`
	Reason    string  `json:"reason,omitempty"` // why it cannot be tested
	Remark    string  `json:"remark,omitempty"`
}

// Judge applies the rule of every claim to the results.
func (s *Study) Judge(r *Results) *Report {
	report := &Report{Paper: s.Paper, Preset: r.Setup.Preset, Seeds: r.Setup.Seeds}
	for _, c := range s.Claims {
		j := Judged{
			ID: c.ID, Central: c.Central, Statement: c.Statement, Figure: c.Figure, Source: c.Source,
			Measure: c.Measure, Criterion: c.Criterion, Verdict: NotTestable, Reason: c.Untestable, Remark: c.Remark,
		}
		if c.Judge != nil {
			finding := c.Judge(r)
			j.Ours, j.Verdict = finding.Ours, NotReproduced
			if finding.Holds {
				j.Verdict = Reproduced
			}
		}
		report.Claims = append(report.Claims, j)
	}
	return report
}

// Count returns how many claims have the verdict.
func (r *Report) Count(v Verdict) int {
	count := 0
	for _, c := range r.Claims {
		if c.Verdict == v {
			count++
		}
	}
	return count
}
