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

// progress shows how many of some things are done: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	out     io.Writer
	done    string // committed
	things  string // records
	bars    *mpb.Progress
	bar     *mpb.Bar
	printed time.Time
	started time.Time
}

func newProgress(out *os.File, done, things string) *progress {
	p := &progress{out: out, done: done, things: things, started: time.Now()}
	if isTerminal(out) {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))
		p.bar = p.bars.AddBar(0,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(done+" ")),
			mpb.AppendDecorators(decor.CountersNoUnit("%d of %d "+things), decor.Name(" "), decor.Elapsed(decor.ET_STYLE_GO)),
		)
	}
	return p
}

// show reports the state of things; total is the number of those that are known of so far.
func (p *progress) show(done, total int64) {
	if p.bar != nil {
		p.bar.SetTotal(max(total, 1), false)
		p.bar.SetCurrent(done)
		return
	}
	if time.Since(p.printed) < plainEvery {
		return
	}
	p.printed = time.Now()
	fmt.Fprintf(p.out, "%s %d of %d %s after %s\n", p.done, done, total, p.things, time.Since(p.started).Round(time.Second))
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
		p.bar = nil
	}
}
