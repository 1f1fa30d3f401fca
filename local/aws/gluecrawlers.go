package aws

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
)

// crawlersMax is Glue's limit on crawlers, which bounds the crawls that wait, too.
const crawlersMax = 1000

type s3Target struct {
	Path       string
	Exclusions []string `json:",omitempty"`
}

type catalogTarget struct {
	DatabaseName string
	Tables       []string
}

// crawlerTargets are what a crawler looks at. Others than files and tables are kept only to be refused.
type crawlerTargets struct {
	S3Targets       []s3Target        `json:",omitempty"`
	CatalogTargets  []catalogTarget   `json:",omitempty"`
	JdbcTargets     []json.RawMessage `json:",omitempty"`
	MongoDBTargets  []json.RawMessage `json:",omitempty"`
	DynamoDBTargets []json.RawMessage `json:",omitempty"`
	DeltaTargets    []json.RawMessage `json:",omitempty"`
	IcebergTargets  []json.RawMessage `json:",omitempty"`
	HudiTargets     []json.RawMessage `json:",omitempty"`
}

type schemaChangePolicy struct {
	UpdateBehavior string `json:",omitempty"` // LOG or UPDATE_IN_DATABASE, the default
	DeleteBehavior string `json:",omitempty"` // LOG, DELETE_FROM_DATABASE or DEPRECATE_IN_DATABASE, the default
}

// crawlerSettings are what a client says of a crawler.
type crawlerSettings struct {
	Name                       string
	Role                       string
	DatabaseName               string              `json:",omitempty"`
	Description                *string             `json:",omitempty"`
	TablePrefix                *string             `json:",omitempty"`
	Configuration              *string             `json:",omitempty"`
	Targets                    *crawlerTargets     `json:",omitempty"`
	Classifiers                []string            `json:",omitempty"`
	SchemaChangePolicy         *schemaChangePolicy `json:",omitempty"`
	RecrawlPolicy              json.RawMessage     `json:",omitempty"`
	LineageConfiguration       json.RawMessage     `json:",omitempty"`
	LakeFormationConfiguration json.RawMessage     `json:",omitempty"`
}

// A lastCrawl is how a crawl ended.
type lastCrawl struct {
	Status       string // SUCCEEDED, CANCELLED or FAILED
	ErrorMessage string `json:",omitempty"`
	StartTime    seconds
}

// A crawlerRecord is a crawler as the catalog keeps it. It is never changed once it is there: an update puts another in its place.
type crawlerRecord struct {
	crawlerSettings
	CreationTime seconds
	LastUpdated  seconds
	Version      int64
	LastCrawl    *lastCrawl `json:",omitempty"`

	Counts         crawlCounts // of the last crawl
	RuntimeSeconds float64     // of the last crawl
}

func (g *glue) crawlerHandlers() map[string]handler {
	return map[string]handler{
		"CreateCrawler": handle(g.createCrawler), "UpdateCrawler": handle(g.updateCrawler), "DeleteCrawler": handle(g.deleteCrawler),
		"GetCrawler": handle(g.getCrawler), "GetCrawlers": handle(g.getCrawlers), "BatchGetCrawlers": handle(g.batchGetCrawlers),
		"ListCrawlers": handle(g.listCrawlers), "GetCrawlerMetrics": handle(g.getCrawlerMetrics),
		"StartCrawler": handle(g.startCrawler), "StopCrawler": handle(g.stopCrawler),
	}
}

// crawlerNamed returns a crawler, or a fault.
func (g *glue) crawlerNamed(name string) (*crawlerRecord, error) {
	if c := g.catalog.crawler(name); c != nil {
		return c, nil
	}
	return nil, fault(entityNotFound, "Crawler entry with name %s does not exist", name)
}

// A crawlerRequest creates or updates a crawler.
type crawlerRequest struct {
	crawlerSettings
	Schedule string
	Tags     map[string]string
}

func (g *glue) createCrawler(in *crawlerRequest) (none, error) {
	if err := in.check(); err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	switch {
	case g.catalog.crawler(in.Name) != nil:
		return none{}, fault(alreadyExists, "%s already exists", in.Name)
	case len(g.catalog.allCrawlers()) >= crawlersMax:
		return none{}, fault("ResourceNumberLimitExceededException", "There are %d crawlers already.", crawlersMax)
	}
	now := secondsOf(g.now())
	changes := []*change{{Crawler: &crawlerRecord{crawlerSettings: in.crawlerSettings, CreationTime: now, LastUpdated: now, Version: 1}}}
	if len(in.Tags) > 0 {
		changes = append(changes, &change{Tags: &tagsChange{"crawler/" + in.Name, in.Tags}})
	}
	return none{}, g.catalog.commit(changes...)
}

// updateCrawler changes what the request names, and leaves the rest.
func (g *glue) updateCrawler(in *crawlerRequest) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	old, err := g.crawlerNamed(in.Name)
	if err != nil {
		return none{}, err
	}
	if state, _ := g.crawls.state(in.Name); state != crawlerReady {
		return none{}, crawlerRuns(in.Name)
	}
	in.fillFrom(&old.crawlerSettings)
	if err := in.check(); err != nil {
		return none{}, err
	}
	next := *old
	next.crawlerSettings, next.LastUpdated, next.Version = in.crawlerSettings, secondsOf(g.now()), old.Version+1
	return none{}, g.catalog.commit(&change{Crawler: &next})
}

func (s *crawlerSettings) fillFrom(old *crawlerSettings) {
	s.Role, s.DatabaseName = cmp.Or(s.Role, old.Role), cmp.Or(s.DatabaseName, old.DatabaseName)
	s.Description, s.TablePrefix = cmp.Or(s.Description, old.Description), cmp.Or(s.TablePrefix, old.TablePrefix)
	s.Configuration, s.Targets = cmp.Or(s.Configuration, old.Configuration), cmp.Or(s.Targets, old.Targets)
	s.SchemaChangePolicy = cmp.Or(s.SchemaChangePolicy, old.SchemaChangePolicy)
	if s.Classifiers == nil {
		s.Classifiers = old.Classifiers
	}
	for _, m := range []struct{ to, from *json.RawMessage }{
		{&s.RecrawlPolicy, &old.RecrawlPolicy},
		{&s.LineageConfiguration, &old.LineageConfiguration},
		{&s.LakeFormationConfiguration, &old.LakeFormationConfiguration},
	} {
		if *m.to == nil {
			*m.to = *m.from
		}
	}
}

// globs are the exclusions that the crawler understands.
var globs = regexp.MustCompile(`^[^\[\]{}\\]*$`)

func (r *crawlerRequest) check() error {
	switch t := r.Targets; {
	case r.Name == "" || len(r.Name) > 255:
		return fault(invalidInput, "A crawler must have a name of 1 to 255 characters.")
	case r.Role == "":
		return fault(invalidInput, "A crawler must have a Role. This local endpoint takes any.")
	case r.Schedule != "":
		return fault(invalidInput, "This local endpoint crawls when StartCrawler is called: leave Schedule out.")
	case t == nil || len(t.S3Targets)+len(t.CatalogTargets) == 0:
		return fault(invalidInput, "A crawler must have a target: this local endpoint crawls S3Targets and CatalogTargets.")
	case len(t.JdbcTargets)+len(t.MongoDBTargets)+len(t.DynamoDBTargets)+len(t.DeltaTargets)+len(t.IcebergTargets)+len(t.HudiTargets) > 0:
		return fault(invalidInput, "This local endpoint crawls S3Targets and CatalogTargets, and nothing else.")
	case len(t.S3Targets) > 0 && r.DatabaseName == "":
		return fault(invalidInput, "A crawler of S3Targets must have a DatabaseName.")
	case len(t.CatalogTargets) > 0 && (r.SchemaChangePolicy == nil || r.SchemaChangePolicy.DeleteBehavior != "LOG"):
		return fault(invalidInput, "A crawler of CatalogTargets must have the DeleteBehavior LOG.")
	}
	for _, t := range r.Targets.S3Targets {
		if _, _, err := splitLocation(t.Path); err != nil {
			return fault(invalidInput, "%v", err)
		}
		for _, e := range t.Exclusions {
			if !globs.MatchString(e) {
				return fault(invalidInput, "The exclusion %q: this local endpoint understands *, ** and ? in exclusions.", e)
			}
		}
	}
	r.DatabaseName = strings.ToLower(r.DatabaseName)
	return nil
}

func (g *glue) deleteCrawler(in *struct{ Name string }) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	if _, err := g.crawlerNamed(in.Name); err != nil {
		return none{}, err
	}
	if state, _ := g.crawls.state(in.Name); state != crawlerReady {
		return none{}, crawlerRuns(in.Name)
	}
	return none{}, g.catalog.commit(&change{DropCrawler: in.Name})
}
