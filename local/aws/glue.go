package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// glue answers the Glue API from the catalog. Safe for concurrent use.
type glue struct {
	catalog *catalog
	now     func() time.Time
	crawls  *crawls
}

// newGlue returns a glue to be closed, which ends its crawls.
func newGlue(o Options, c *catalog) *glue {
	g := &glue{catalog: c, now: time.Now}
	g.crawls = newCrawls(o.Logger, func(ctx context.Context, r *crawlerRecord) (crawlCounts, error) {
		return (&crawler{glue: g, objects: o.Objects, settings: r}).crawl(ctx)
	})
	return g
}

func (g *glue) close() { g.crawls.close() }

// handlers returns the operations by their names in X-Amz-Target.
func (g *glue) handlers() map[string]handler {
	all := map[string]handler{
		"CreateDatabase": handle(g.createDatabase), "GetDatabase": handle(g.getDatabase), "GetDatabases": handle(g.getDatabases),
		"UpdateDatabase": handle(g.updateDatabase), "DeleteDatabase": handle(g.deleteDatabase),

		"CreateTable": handle(g.createTable), "GetTable": handle(g.getTable), "GetTables": handle(g.getTables),
		"UpdateTable": handle(g.updateTable), "DeleteTable": handle(g.deleteTable), "BatchDeleteTable": handle(g.batchDeleteTable),
		"SearchTables": handle(g.searchTables),

		"GetTableVersion": handle(g.getTableVersion), "GetTableVersions": handle(g.getTableVersions),
		"DeleteTableVersion": handle(g.deleteTableVersion), "BatchDeleteTableVersion": handle(g.batchDeleteTableVersion),

		"GetTags": handle(g.getTags), "TagResource": handle(g.tagResource), "UntagResource": handle(g.untagResource),
	}
	maps.Copy(all, g.partitionHandlers())
	maps.Copy(all, g.statisticsHandlers())
	maps.Copy(all, g.crawlerHandlers())
	return all
}

type none struct{}

// A paging is the part of a listing's request that asks for a page.
type paging struct {
	MaxResults int
	NextToken  string
}

// check refuses a page that Glue has not.
func (p paging) check(most int) error {
	if p.MaxResults < 0 || p.MaxResults > most {
		return fault(invalidInput, "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: "+
			"Member must have value between 1 and %d", p.MaxResults, most)
	}
	return nil
}

// limit returns the size of the page, at most the given one.
func (p paging) limit(most int) int {
	if p.MaxResults <= 0 {
		return most
	}
	return min(p.MaxResults, most)
}

// after decodes the token into the last item of the page before, or returns nil.
func (p paging) after() ([]string, error) {
	if p.NextToken == "" {
		return nil, nil
	}
	var last []string
	text, err := base64.RawURLEncoding.DecodeString(p.NextToken)
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil || last == nil {
		return nil, fault(invalidInput, "The NextToken is not one of this catalog.")
	}
	return last, nil
}

// token returns the token of the page that follows an item.
func token(last ...string) string {
	text, err := json.Marshal(last)
	if err != nil {
		panic("aws: strings cannot be encoded: " + err.Error()) // cannot fail
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// page cuts a page out of items that are in the order of their names.
func page[T any](items []T, name func(T) string, p paging, most int) ([]T, string, error) {
	if err := p.check(most); err != nil {
		return nil, "", err
	}
	last, err := p.after()
	if err != nil {
		return nil, "", err
	}
	if len(last) > 0 {
		i, found := slices.BinarySearchFunc(items, last[0], func(t T, s string) int { return strings.Compare(name(t), s) })
		if found {
			i++
		}
		items = items[i:]
	}
	if limit := p.limit(most); len(items) > limit {
		return items[:limit], token(name(items[limit-1])), nil
	}
	return items, "", nil
}

// checkName returns a name as the catalog keeps it, in lower case.
func checkName(what, name string) (string, error) {
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return "", fault(invalidInput, "The %s must have a name of 1 to 255 characters without control characters.", what)
	}
	return strings.ToLower(name), nil
}
