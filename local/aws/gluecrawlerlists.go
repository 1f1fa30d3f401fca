package aws

// A crawlerView is a crawler as clients see it.
type crawlerView struct {
	crawlerSettings
	CreationTime     seconds
	LastUpdated      seconds
	Version          int64
	LastCrawl        *lastCrawl `json:",omitempty"`
	State            string
	CrawlElapsedTime int64 // milliseconds
}

// view looks for the state before the record, so that a READY crawler comes with the crawl that has just ended.
func (g *glue) crawlerView(name string) (crawlerView, error) {
	state, elapsed := g.crawls.state(name)
	r, err := g.crawlerNamed(name)
	if err != nil {
		return crawlerView{}, err
	}
	return crawlerView{r.crawlerSettings, r.CreationTime, r.LastUpdated, r.Version, r.LastCrawl, state, elapsed.Milliseconds()}, nil
}

type crawlerAnswer struct{ Crawler crawlerView }

func (g *glue) getCrawler(in *struct{ Name string }) (crawlerAnswer, error) {
	view, err := g.crawlerView(in.Name)
	return crawlerAnswer{view}, err
}

type crawlersAnswer struct {
	Crawlers         []crawlerView
	CrawlersNotFound []string `json:",omitempty"`
	NextToken        string   `json:",omitempty"`
}

func (g *glue) getCrawlers(in *paging) (crawlersAnswer, error) {
	names, next, err := g.crawlerNames(*in)
	if err != nil {
		return crawlersAnswer{}, err
	}
	answer := g.crawlerViews(names)
	answer.CrawlersNotFound, answer.NextToken = nil, next // one may have gone just now
	return answer, nil
}

func (g *glue) batchGetCrawlers(in *struct{ CrawlerNames []string }) (crawlersAnswer, error) {
	if n := len(in.CrawlerNames); n > gluePage {
		return crawlersAnswer{}, tooMany("crawlerNames", n, gluePage)
	}
	return g.crawlerViews(in.CrawlerNames), nil
}

func (g *glue) crawlerViews(names []string) crawlersAnswer {
	answer := crawlersAnswer{Crawlers: []crawlerView{}}
	for _, name := range names {
		if view, err := g.crawlerView(name); err == nil {
			answer.Crawlers = append(answer.Crawlers, view)
		} else {
			answer.CrawlersNotFound = append(answer.CrawlersNotFound, name)
		}
	}
	return answer
}

type crawlerNamesAnswer struct {
	CrawlerNames []string
	NextToken    string `json:",omitempty"`
}

func (g *glue) listCrawlers(in *struct {
	paging
	Tags map[string]string
},
) (crawlerNamesAnswer, error) {
	if len(in.Tags) > 0 {
		return crawlerNamesAnswer{}, fault(invalidInput, "This local endpoint does not list crawlers by Tags: leave them out.")
	}
	names, next, err := g.crawlerNames(in.paging)
	return crawlerNamesAnswer{names, next}, err
}

// crawlerNames returns a page of names.
func (g *glue) crawlerNames(p paging) ([]string, string, error) {
	all, next, err := page(g.catalog.allCrawlers(), func(r *crawlerRecord) string { return r.Name }, p, gluePage)
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	return names, next, err
}

type crawlerMetrics struct {
	CrawlerName                                 string
	LastRuntimeSeconds, MedianRuntimeSeconds    float64
	TimeLeftSeconds                             float64
	StillEstimating                             bool
	TablesCreated, TablesUpdated, TablesDeleted int
}

type crawlerMetricsAnswer struct {
	CrawlerMetricsList []crawlerMetrics
	NextToken          string `json:",omitempty"`
}

// getCrawlerMetrics tells of the last crawl of each crawler. Earlier ones are not kept, so the median is the last crawl's time.
func (g *glue) getCrawlerMetrics(in *struct {
	paging
	CrawlerNameList []string
},
) (crawlerMetricsAnswer, error) {
	names, next, err := in.CrawlerNameList, "", error(nil)
	if len(names) == 0 {
		names, next, err = g.crawlerNames(in.paging)
	}
	answer := crawlerMetricsAnswer{CrawlerMetricsList: []crawlerMetrics{}, NextToken: next}
	for _, name := range names {
		state, _ := g.crawls.state(name)
		if r := g.catalog.crawler(name); r != nil {
			answer.CrawlerMetricsList = append(answer.CrawlerMetricsList, crawlerMetrics{
				CrawlerName: name, LastRuntimeSeconds: r.RuntimeSeconds, MedianRuntimeSeconds: r.RuntimeSeconds, StillEstimating: state == crawlerRunning,
				TablesCreated: r.Counts.TablesCreated, TablesUpdated: r.Counts.TablesUpdated,
			})
		}
	}
	return answer, err
}
