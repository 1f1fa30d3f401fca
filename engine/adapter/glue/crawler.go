package glue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"citystream/engine/port"
)

var _ port.Crawler = (*Catalog)(nil)

// crawlPause is how long is waited between two looks at a crawler: a run takes a minute at least.
const crawlPause = 5 * time.Second

// Crawl implements port.Crawler. A run that is under way may have passed what is new already, so another is begun behind it.
func (c *Catalog) Crawl(ctx context.Context, crawl port.Crawl) error {
	fail := func(err error) error { return fmt.Errorf("glue: crawler %s: %w", crawl.Name, asPort(err)) }
	if err := c.ensureCrawler(ctx, crawl); err != nil {
		return fail(err)
	}
	if _, err := c.rest(ctx, crawl.Name); err != nil {
		return fail(err)
	}
	for {
		_, err := c.client.StartCrawler(ctx, &glue.StartCrawlerInput{Name: &crawl.Name})
		var running *types.CrawlerRunningException
		if errors.As(err, &running) { // somebody else has started it: after our waiting, so it may do, or may not
			if _, err := c.rest(ctx, crawl.Name); err != nil {
				return fail(err)
			}
			continue
		}
		if err != nil {
			return fail(err)
		}
		break
	}
	last, err := c.rest(ctx, crawl.Name)
	if err != nil {
		return fail(err)
	}
	if last != nil && last.Status != types.LastCrawlStatusSucceeded {
		return fail(fmt.Errorf("its run ended as %s: %s", last.Status, aws.ToString(last.ErrorMessage)))
	}
	return nil
}

// ensureCrawler makes a crawler of the tables that exist. It adds Hive partitions, and changes nothing else.
func (c *Catalog) ensureCrawler(ctx context.Context, crawl port.Crawl) error {
	database := strings.ToLower(crawl.Database)
	tables := slices.Clone(crawl.Tables)
	for i := range tables {
		tables[i] = strings.ToLower(tables[i])
	}
	targets := &types.CrawlerTargets{CatalogTargets: []types.CatalogTarget{{DatabaseName: &database, Tables: tables}}}
	policy := &types.SchemaChangePolicy{DeleteBehavior: types.DeleteBehaviorLog, UpdateBehavior: types.UpdateBehaviorLog}
	return again(ctx, func() error {
		found, err := c.client.GetCrawler(ctx, &glue.GetCrawlerInput{Name: &crawl.Name})
		if notFound(err) {
			_, err = c.client.CreateCrawler(ctx, &glue.CreateCrawlerInput{
				Name: &crawl.Name, Role: &crawl.Role, DatabaseName: &database, Targets: targets, SchemaChangePolicy: policy,
				Configuration: aws.String(`{"Version":1.0,"CrawlerOutput":{"Partitions":{"AddOrUpdateBehavior":"InheritFromTable"}}}`),
			})
			if alreadyThere(err) {
				return errFaster
			}
			return err
		}
		if err != nil || sameTargets(found.Crawler, tables) {
			return err
		}
		_, err = c.client.UpdateCrawler(ctx, &glue.UpdateCrawlerInput{Name: &crawl.Name, Targets: targets})
		return err
	})
}

func sameTargets(c *types.Crawler, tables []string) bool {
	if c == nil || c.Targets == nil || len(c.Targets.CatalogTargets) != 1 {
		return false
	}
	there := slices.Clone(c.Targets.CatalogTargets[0].Tables)
	slices.Sort(there)
	return slices.Equal(there, slices.Sorted(slices.Values(tables)))
}

// rest waits until a crawler does nothing, and returns how its last run ended; nil is that it had none.
func (c *Catalog) rest(ctx context.Context, name string) (*types.LastCrawlInfo, error) {
	for {
		out, err := c.client.GetCrawler(ctx, &glue.GetCrawlerInput{Name: &name})
		if err != nil {
			return nil, err
		}
		if out.Crawler == nil {
			return nil, errors.New("the service tells nothing of it")
		}
		if out.Crawler.State == types.CrawlerStateReady {
			return out.Crawler.LastCrawl, nil
		}
		timer := time.NewTimer(c.crawlPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}
