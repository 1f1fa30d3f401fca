package aws

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// States of a crawler.
const (
	crawlerReady    = "READY"
	crawlerRunning  = "RUNNING"
	crawlerStopping = "STOPPING"
)

// crawlsAtOnce is the number of crawls that run; further ones wait.
const crawlsAtOnce = 2

// crawlCounts are what a crawl has done.
type crawlCounts struct{ TablesCreated, TablesUpdated, PartitionsAdded, PartitionsDeleted int }

// crawls are the crawls that run, in memory only: a process that ends leaves its crawlers READY. Safe for concurrent use.
type crawls struct {
	log   *slog.Logger
	run   func(context.Context, *crawlerRecord) (crawlCounts, error)
	ctx   context.Context // ends all crawls
	end   context.CancelFunc
	slots chan struct{}
	going sync.WaitGroup

	mu      sync.Mutex
	running map[string]*crawl
	closed  bool
}

type crawl struct {
	began    time.Time
	stop     context.CancelFunc
	stopping bool
}

func newCrawls(log *slog.Logger, run func(context.Context, *crawlerRecord) (crawlCounts, error)) *crawls {
	c := &crawls{log: log, run: run, slots: make(chan struct{}, crawlsAtOnce), running: map[string]*crawl{}}
	c.ctx, c.end = context.WithCancel(context.Background())
	return c
}

// close ends all crawls and waits for them.
func (c *crawls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.going.Wait()
}

// state returns a crawler's state, and for how long it has been crawling.
func (c *crawls) state(name string) (string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x := c.running[name]; {
	case x == nil:
		return crawlerReady, 0
	case x.stopping:
		return crawlerStopping, time.Since(x.began)
	default:
		return crawlerRunning, time.Since(x.began)
	}
}

func crawlerRuns(name string) *apiError {
	return fault("CrawlerRunningException", "Crawler with name %s has already started", name)
}

// start begins a crawl and gives its end to keep, before the crawler is READY again.
func (c *crawls) start(r *crawlerRecord, keep func(lastCrawl, crawlCounts, time.Duration) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return fault("OperationTimeoutException", "The endpoint is shutting down.")
	case c.running[r.Name] != nil:
		return crawlerRuns(r.Name)
	}
	ctx, stop := context.WithCancel(c.ctx)
	x := &crawl{began: time.Now(), stop: stop}
	c.running[r.Name] = x
	c.going.Go(func() {
		defer stop()
		last := lastCrawl{Status: "SUCCEEDED", StartTime: secondsOf(x.began)}
		counts, err := c.inTurn(ctx, r)
		switch {
		case errors.Is(err, context.Canceled):
			last.Status = "CANCELLED"
		case err != nil:
			last.Status, last.ErrorMessage = "FAILED", err.Error()
		}
		if err := keep(last, counts, time.Since(x.began)); err != nil {
			c.log.Error("the end of a crawl could not be written down", "crawler", r.Name, "status", last.Status, "error", err)
		}
		c.mu.Lock()
		delete(c.running, r.Name)
		c.mu.Unlock()
	})
	return nil
}

func (c *crawls) inTurn(ctx context.Context, r *crawlerRecord) (crawlCounts, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
		return c.run(ctx, r)
	case <-ctx.Done():
		return crawlCounts{}, ctx.Err()
	}
}

// stop asks a crawl to end.
func (c *crawls) stop(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x := c.running[name]; {
	case x == nil:
		return fault("CrawlerNotRunningException", "Crawler with name %s isn't running", name)
	case x.stopping:
		return fault("CrawlerStoppingException", "Crawler with name %s is stopping already", name)
	default:
		x.stopping = true
		x.stop()
		return nil
	}
}

func (g *glue) startCrawler(in *struct{ Name string }) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	r, err := g.crawlerNamed(in.Name)
	if err != nil {
		return none{}, err
	}
	return none{}, g.crawls.start(r, func(last lastCrawl, counts crawlCounts, took time.Duration) error {
		g.catalog.writing.Lock()
		defer g.catalog.writing.Unlock()
		next := *r // nobody changes a crawler while it runs
		next.LastCrawl, next.Counts, next.RuntimeSeconds = &last, counts, took.Seconds()
		return g.catalog.commit(&change{Crawler: &next})
	})
}

func (g *glue) stopCrawler(in *struct{ Name string }) (none, error) {
	if _, err := g.crawlerNamed(in.Name); err != nil {
		return none{}, err
	}
	return none{}, g.crawls.stop(in.Name)
}
