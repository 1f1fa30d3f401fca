package actors

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"citystream/engine/catalog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/transform"
	"citystream/messages"
)

// brokenQuery fails while it is told to.
type brokenQuery struct {
	port.Query
	broken atomic.Bool
	failed atomic.Int64
}

func (q *brokenQuery) Run(ctx context.Context, database, sql string) (*port.Result, error) {
	if q.broken.Load() {
		q.failed.Add(1)
		return nil, fmt.Errorf("%w: no such column", port.ErrQueryFailed)
	}
	return q.Query.Run(ctx, database, sql)
}

func TestATransformThatFailsIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	q := &brokenQuery{Query: l.query}
	q.broken.Store(true)
	node := *l.node
	node.Store, node.Source, node.Catalog, node.Query, node.Warehouse = l.store, l.source, l.catalog, q, l.warehouse
	f := &follower{l: l, life: enginetest.NewFaults().Life(), pid: l.system.Root.Spawn(CatalogProps(&node))}
	f.until("the transform fails again and again, and the load goes on", func(s *messages.CatalogStatus) bool {
		return len(s.Transforms) == 1 && s.Transforms[0].Failing == 1 && strings.Contains(s.Transforms[0].Error, "hour=03: run the query: query failed: no such column") &&
			q.failed.Load() > 2 && len(s.Loads) == 1 && s.Loads[0].Rows == 10
	})
	q.broken.Store(false)
	f.settled()
}

func TestTheLastQueryIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	f := l.follow()
	f.settled()
	before := f.status().Transforms[0]
	f.die()
	f = l.follow()
	f.until("the last query is told", func(s *messages.CatalogStatus) bool { return len(s.Transforms) == 1 && s.Transforms[0].QueryId != "" })
	if s := f.status().Transforms[0]; s.QueryId != before.QueryId || s.ScannedBytes != before.ScannedBytes || s.Dollars != before.Dollars || s.Queries != 0 {
		t.Errorf("%v, and before the restart %v", s, before)
	}
}

func TestATransformThatReadsOtherTablesNeedsANewVersion(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	f := l.follow()
	f.settled()
	f.die()
	other := *l.node.Transforms[0]
	other.With = []string{"weather_data"}
	l.node.Transforms = []*transform.Transform{&other}
	f = l.follow()
	f.until("the change is refused", func(s *messages.CatalogStatus) bool {
		return strings.Contains(s.Error, "reads gps_data, weather_data, and has read gps_data before: a change of table or with needs a new version")
	})
	f.die()
	again := other
	again.Version++
	l.node.Transforms = []*transform.Transform{&again}
	f = l.follow()
	f.until("the new version is taken", func(s *messages.CatalogStatus) bool { return s.Error == "" && !s.AtWork && len(s.Transforms) == 1 })
}

func TestARoundOfTransformsIsBounded(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	hours := 3 * roundRuns
	for i := range hours {
		l.commit(0, hourOf(i+1), i)
		l.commit(1, hourOf(i+1))
	}
	node := *l.node
	node.Store, node.Source, node.Catalog, node.Query, node.TransformsAtOnce = l.store, l.source, l.catalog, l.query, 1
	b := newBoard()
	r := newRegistrar(&node, b)
	if o := r.round(t.Context(), nil, true); o.err != nil {
		t.Fatal(o.err)
	}
	tr := newTransformer(&node, b)
	if o := tr.round(t.Context()); o.err != nil || o.again == 0 {
		t.Fatal(o)
	}
	made, err := l.catalog.Partitions(t.Context(), "city", "speeds")
	if err != nil || len(made) != roundRuns {
		t.Fatalf("a round has made %d Hive partitions, %v", len(made), err)
	}
	if first, _ := catalog.WindowOf(made[0].Values); first != hourOf(hours-roundRuns) {
		t.Errorf("the oldest of them is %v", made[0].Values)
	}
}
