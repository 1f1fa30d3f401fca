package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// loaded notes that a commit of the page is in the log of loads.
func (p *page) loaded(id string) {
	at, ok := p.places[id]
	if !ok {
		return
	}
	if before, ok := p.places[p.progress.Last[at.partition]]; !ok || before.slot <= at.slot {
		p.progress.Last[at.partition] = id
	}
	p.progress.Aside = slices.DeleteFunc(p.progress.Aside, func(a catalog.Aside) bool { return a.ID == id })
}

// setAside takes commits that cannot be loaded out of those that are wanted, and returns what is left. A commit is set aside only where another one of its
// page is loaded: where none is, the fault is the warehouse's or the table's, and cause is the error.
func (l *loader) setAside(
	ctx context.Context, t *schema.Table, described port.WarehouseTable, p *page, wanted []port.LoadCommit, rejected []*port.RejectedError, cause error,
) ([]port.LoadCommit, error) {
	ids := make([]string, len(p.commits))
	for i, c := range p.commits {
		ids[i] = c.ID
	}
	done, err := l.node.Warehouse.Loaded(ctx, described.Name, ids)
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	if len(done) == 0 {
		return nil, cause
	}
	out := map[string]bool{}
	for _, r := range rejected {
		at := p.places[r.ID]
		if !p.progress.PutAside(catalog.Aside{ID: r.ID, Partition: at.partition, Slot: at.slot, Reason: r.Err.Error()}) {
			return nil, fmt.Errorf("%d commits are set aside, and no more are: see citystream load status: %w", catalog.AsideMax, cause)
		}
		out[r.ID] = true
		l.node.Metrics.LoadFailures.WithLabelValues(t.Name).Inc()
		l.node.Log.Warn("a commit cannot be loaded and is set aside: citystream load retry tries it again", "table", t.Name, "commit", r.ID, "error", r.Err)
	}
	left := slices.DeleteFunc(slices.Clone(wanted), func(c port.LoadCommit) bool { return out[c.ID] })
	if len(left) == len(wanted) {
		return nil, cause
	}
	return left, nil
}

// retryAside tries to load what is set aside. What cannot be loaded stays aside, with its new reason; what is in the commit logs no more is forgotten.
func (l *loader) retryAside(ctx context.Context, t *schema.Table) error {
	of := topicOf{t.Name, t.Topic}
	k, err := l.progressOf(ctx, of)
	if err != nil || len(k.progress.Aside) == 0 {
		return err
	}
	described := l.node.warehouseTable(t)
	if err := l.node.Warehouse.EnsureTable(ctx, described); err != nil {
		return err
	}
	p := k.progress.Clone()
	p.Aside = nil
	var faults []error
	for _, a := range k.progress.Aside {
		log := commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: a.Partition}}
		e, err := readEntry(ctx, l.node.Store, log, a.Slot)
		if isNotFound(err) {
			l.node.Log.Warn("a commit that was set aside is in the commit logs no more, and is not loaded (store.keepLog)", "table", t.Name, "commit", a.ID)
			continue
		}
		if err == nil {
			err = l.loadAside(ctx, t, described, log, e, a.ID)
		}
		if err != nil {
			a.Reason = err.Error()
			p.PutAside(a)
			faults = append(faults, fmt.Errorf("set aside: %w", err))
		}
	}
	return errors.Join(append(faults, l.save(ctx, of, k, p))...)
}

// loadAside loads the one commit of an entry that is set aside.
func (l *loader) loadAside(
	ctx context.Context, t *schema.Table, described port.WarehouseTable, log commitlog.Log, e *commitlog.Entry, id string,
) error {
	commits, err := l.commitsOf(ctx, log, t, e)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(commits, func(c port.LoadCommit) bool { return c.ID == id })
	if i < 0 {
		return fmt.Errorf("slot %d of %s has no commit %s", e.Slot, log, id)
	}
	_, err = l.node.Warehouse.Load(ctx, described, commits[i:i+1])
	return err
}
