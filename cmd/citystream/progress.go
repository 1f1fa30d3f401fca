package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 5 * time.Second

// progress shows how many records are committed: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	out     io.Writer
	bars    *mpb.Progress
	bar     *mpb.Bar
	printed time.Time
	started time.Time
}

func newProgress(out *os.File) *progress {
	p := &progress{out: out, started: time.Now()}
	if isTerminal(out) {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))
		p.bar = p.bars.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name("committed ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d of %d records"), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)),
		)
	}
	return p
}

// show reports the state of things; total is the number of records that are known of so far.
func (p *progress) show(committed, total int64) {
	if p.bar != nil {
		p.bar.SetTotal(max(total, 1), false)
		p.bar.SetCurrent(committed)
		return
	}
	if time.Since(p.printed) < plainEvery {
		return
	}
	p.printed = time.Now()
	fmt.Fprintf(p.out, "committed %d of %d records after %s\n", committed, total, time.Since(p.started).Round(time.Second))
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
		p.bar = nil
	}
}
