//go:build !cgo

package aws

import "context"

// A noWarehouse stands where DuckDB would, and says what is missing.
type noWarehouse struct{}

func newWarehouse(Options, *catalog, string, string) rsWarehouse { return noWarehouse{} }

func (noWarehouse) run(context.Context, *rsJob) ([]*rsResult, error) { return nil, errNoEngine }

func (noWarehouse) databases() ([]string, error) { return nil, nil }

func (noWarehouse) close() error { return nil }
