package enginetest

import (
	"context"

	"citystream/engine/port"
)

// Warehouse returns a warehouse whose calls may fail.
func (l *Life) Warehouse(w port.Warehouse) port.Warehouse { return &faultyWarehouse{l, w} }

type faultyWarehouse struct {
	life *Life
	w    port.Warehouse
}

func (w *faultyWarehouse) EnsureTable(ctx context.Context, table port.WarehouseTable) error {
	return w.life.do("EnsureTable warehouse", func() error { return w.w.EnsureTable(ctx, table) })
}

func (w *faultyWarehouse) Load(ctx context.Context, table port.WarehouseTable, commits []port.LoadCommit) (done []port.LoadedCommit, err error) {
	err = w.life.do("Load", func() (err error) { done, err = w.w.Load(ctx, table, commits); return err })
	return answered(done, err)
}

func (w *faultyWarehouse) Reload(ctx context.Context, table port.WarehouseTable, r port.Reload) (rows int64, err error) {
	err = w.life.do("Reload", func() (err error) { rows, err = w.w.Reload(ctx, table, r); return err })
	return rows, err
}

func (w *faultyWarehouse) Loaded(ctx context.Context, table string, ids []string) (done []port.LoadedCommit, err error) {
	err = w.life.do("Loaded", func() (err error) { done, err = w.w.Loaded(ctx, table, ids); return err })
	return answered(done, err)
}

func (w *faultyWarehouse) LoadedOf(ctx context.Context, table string, values []string) (done []port.LoadedCommit, err error) {
	err = w.life.do("LoadedOf", func() (err error) { done, err = w.w.LoadedOf(ctx, table, values); return err })
	return answered(done, err)
}

func (w *faultyWarehouse) LoadedSum(ctx context.Context, table string) (commits, rows int64, err error) {
	err = w.life.do("LoadedSum", func() (err error) { commits, rows, err = w.w.LoadedSum(ctx, table); return err })
	return commits, rows, err
}

func (w *faultyWarehouse) Rows(ctx context.Context, table string) (rows int64, err error) {
	err = w.life.do("Rows", func() (err error) { rows, err = w.w.Rows(ctx, table); return err })
	return rows, err
}

func (w *faultyWarehouse) EnsureExternalSchema(ctx context.Context, external port.ExternalSchema) error {
	return w.life.do("EnsureExternalSchema", func() error { return w.w.EnsureExternalSchema(ctx, external) })
}

// answered keeps an answer that was lost from whoever asked.
func answered(done []port.LoadedCommit, err error) ([]port.LoadedCommit, error) {
	if err != nil {
		return nil, err
	}
	return done, nil
}
