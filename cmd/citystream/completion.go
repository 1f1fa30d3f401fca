package main

import (
	"context"
	"fmt"
	"time"

	"citystream/messages"
)

// watch asks how things stand, with a pause between two questions, until stop says that it is enough, or until ctx ends; it returns what was seen last. Each answer is shown.
func (r *run) watch(ctx context.Context, every time.Duration, show func([]tableSummary), stop func([]tableSummary, []string, *messages.CatalogStatus) bool) ([]tableSummary, []string, error) {
	var tables []tableSummary
	var failed []string
	for {
		seen, broken, registered, err := standing(ctx, r.cluster, r.source)
		switch {
		case ctx.Err() != nil:
			return tables, failed, ctx.Err()
		case err != nil:
			r.log.Warn("the state cannot be asked for; trying again", "error", err)
		default:
			tables, failed = seen, broken
			show(tables)
			if stop(tables, failed, registered) {
				return tables, failed, nil
			}
		}
		select {
		case <-ctx.Done():
			return tables, failed, ctx.Err()
		case err := <-r.died:
			return tables, failed, fmt.Errorf("an embedded service has ended: %w", err)
		case <-time.After(every):
		}
	}
}
