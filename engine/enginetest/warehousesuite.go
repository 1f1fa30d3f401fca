package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
)

// A WarehouseHarness is a warehouse under test.
type WarehouseHarness struct {
	// Open returns a user of the warehouse with connections of its own.
	Open func(t *testing.T) port.Warehouse
	// Write puts a file of rows into the bucket, with the column note where noted is set.
	Write func(t *testing.T, key string, noted bool, rows []LoadRow) port.LoadFile
	// Contents returns the rows of a table as the texts of columns with | between them, NULL as nothing.
	Contents func(t *testing.T, table string, columns ...string) []string
	// LoseAnswers lets the warehouse do the next transaction of a user that is opened from now on, and tell it that it is busy.
	LoseAnswers func(t *testing.T)
}

// A LoadRow is a row of the table of the warehouse's suite. Its tags make a Parquet file of them.
type LoadRow struct {
	ID     string    `parquet:"id"`
	Speed  *float64  `parquet:"speed"`
	At     time.Time `parquet:"timestamp,timestamp(microsecond)"`
	Offset int64     `parquet:"kafka_offset"`
}

// A NotedRow is a LoadRow after a column was added before the last.
type NotedRow struct {
	ID     string    `parquet:"id"`
	Speed  *float64  `parquet:"speed"`
	At     time.Time `parquet:"timestamp,timestamp(microsecond)"`
	Note   *string   `parquet:"note"`
	Offset int64     `parquet:"kafka_offset"`
}

// Noted returns the row with a note of its own.
func (r LoadRow) Noted() NotedRow {
	return NotedRow{r.ID, r.Speed, r.At, new("note of " + r.ID), r.Offset}
}

// LoadTable is the table of the warehouse's suite, and NotedTable the same with a column more.
var (
	LoadTable = port.WarehouseTable{
		Name: "loads", PartitionKeys: []string{"date", "hour"}, DistKey: "id", SortKeys: []string{"timestamp"},
		Columns: []port.WarehouseColumn{{Name: "id", Type: "varchar(65535)"}, {Name: "speed", Type: "double precision"}, {Name: "timestamp", Type: "timestamp"}, {Name: "kafka_offset", Type: "bigint"}},
	}
	NotedTable = port.WarehouseTable{
		Name: "loads", PartitionKeys: LoadTable.PartitionKeys, DistKey: "id", SortKeys: LoadTable.SortKeys,
		Columns: slices.Insert(slices.Clone(LoadTable.Columns), 3, port.WarehouseColumn{Name: "note", Type: "varchar(65535)"}),
	}
)

// WarehouseSuite is what every port.Warehouse must do. open makes an empty warehouse and cleans up by t.
func WarehouseSuite(t *testing.T, open func(t *testing.T) WarehouseHarness) {
	for _, test := range []struct {
		name string
		run  func(*warehouseTest, *testing.T)
	}{
		{"a table can be ensured again and again, by several at once", (*warehouseTest).ensureAgain},
		{"a table that is not there is ErrNotFound, and nothing of it is loaded", (*warehouseTest).missing},
		{"rows arrive with the values of their Hive partitions", (*warehouseTest).arrives},
		{"a commit that is loaded again adds nothing", (*warehouseTest).replay},
		{"eight concurrent loads of one commit add it once", (*warehouseTest).eight},
		{"loads that share some of their commits add each once", (*warehouseTest).overlapping},
		{"a commit whose files are wrong adds nothing, and holds up no other", (*warehouseTest).wrong},
		{"a commit without files is loaded", (*warehouseTest).noFiles},
		{"many commits of many Hive partitions pass in one call", (*warehouseTest).many},
		{"a load whose answer was lost is loaded once", (*warehouseTest).lost},
		{"a reload replaces the Hive partition and no other", (*warehouseTest).reload},
		{"a reload that does not know of a commit changes nothing", (*warehouseTest).reloadStale},
		{"reloads beside loads lose nothing and double nothing", (*warehouseTest).reloadBeside},
		{"a column that is added is empty in older files", (*warehouseTest).addedColumn},
		{"a column of another type is an error and changes nothing", (*warehouseTest).otherType},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			test.run(&warehouseTest{h, h.Open(t)}, t)
		})
	}
}

// A warehouseTest is one test of the suite with its first user.
type warehouseTest struct {
	WarehouseHarness
	w port.Warehouse
}

func (h *warehouseTest) ensure(t *testing.T, table port.WarehouseTable) {
	t.Helper()
	if err := h.w.EnsureTable(t.Context(), table); err != nil {
		t.Fatal(err)
	}
}

// commit writes a file of rows and returns its commit, of an hour of 2026-11-22.
func (h *warehouseTest) commit(t *testing.T, id, hour string, rows int, noted bool) port.LoadCommit {
	t.Helper()
	all := make([]LoadRow, rows)
	for i := range all {
		all[i] = LoadRow{
			ID: fmt.Sprintf("%s-%d", id, i), At: time.Date(2026, 11, 22, 5, 40, i, 123_000, time.UTC), Offset: int64(i),
		}
		if i%2 == 1 {
			all[i].Speed = new(float64(i) + 0.5)
		}
	}
	f := h.Write(t, "raw/loads/date="+KnownDate+"/hour="+hour+"/"+id+".parquet", noted, all)
	c := port.LoadCommit{ID: "loads/topic/0/" + id, Values: []string{KnownDate, hour}, Files: []port.LoadFile{f}}
	if !noted {
		for _, col := range LoadTable.Columns {
			c.Columns = append(c.Columns, col.Name)
		}
	}
	return c
}

func loadedOf(commits ...port.LoadCommit) []port.LoadedCommit {
	done := make([]port.LoadedCommit, len(commits))
	for i, c := range commits {
		n, _ := c.Size()
		done[i] = port.LoadedCommit{ID: c.ID, Values: c.Values, Rows: n}
	}
	return done
}

func (h *warehouseTest) load(t *testing.T, w port.Warehouse, commits ...port.LoadCommit) {
	t.Helper()
	done, err := w.Load(t.Context(), LoadTable, commits)
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(loadedOf(commits...), done); diff != "" {
		t.Errorf("what Load tells differs (-want +got):\n%s", diff)
	}
}

// holds checks that the table has exactly the rows of the commits, and the log of loads exactly the commits.
func (h *warehouseTest) holds(t *testing.T, commits ...port.LoadCommit) {
	t.Helper()
	want := []string{}
	for _, c := range commits {
		for _, f := range c.Files {
			for i := range f.Rows {
				want = append(want, fmt.Sprintf("%s-%d|%s|%s", strings.TrimPrefix(c.ID, "loads/topic/0/"), i, c.Values[0], c.Values[1]))
			}
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, sortedLines(h.Contents(t, "loads", "id", "date", "hour"))); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if n, err := h.w.Rows(t.Context(), "loads"); err != nil || n != int64(len(want)) {
		t.Errorf("%d rows, %v, want %d", n, err, len(want))
	}
	logged, err := h.w.LoadedOf(t.Context(), "loads", nil)
	if err != nil {
		t.Fatal(err)
	}
	told := int64(0)
	for _, c := range logged {
		told += c.Rows
	}
	if n, rows, err := h.w.LoadedSum(t.Context(), "loads"); err != nil || n != int64(len(logged)) || rows != told {
		t.Errorf("the sums of the log of loads are %d and %d, %v, want %d and %d", n, rows, err, len(logged), told)
	}
	all := loadedOf(commits...)
	slices.SortFunc(all, func(a, b port.LoadedCommit) int { return strings.Compare(a.ID, b.ID) })
	if diff := cmp.Diff(all, append([]port.LoadedCommit{}, logged...)); diff != "" {
		t.Errorf("the log of loads differs (-want +got):\n%s", diff)
	}
}

func sortedLines(lines []string) []string {
	lines = append([]string{}, lines...)
	slices.Sort(lines)
	return lines
}

// loadTogether calls f from several goroutines at the same time.
func loadTogether(n int, f func(i int)) {
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	all.Wait()
}

func (h *warehouseTest) ensureAgain(t *testing.T) {
	loadTogether(4, func(int) {
		if err := h.Open(t).EnsureTable(t.Context(), LoadTable); err != nil {
			t.Error(err)
		}
	})
	h.ensure(t, LoadTable)
	h.holds(t)
}

func (h *warehouseTest) missing(t *testing.T) {
	if _, err := h.w.Rows(t.Context(), "loads"); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("Rows: got %v, want ErrNotFound", err)
	}
	if commits, rows, err := h.w.LoadedSum(t.Context(), "loads"); err != nil || commits != 0 || rows != 0 {
		t.Errorf("LoadedSum: got %d, %d, %v", commits, rows, err)
	}
	if done, err := h.w.Loaded(t.Context(), "loads", []string{"a"}); err != nil || len(done) != 0 {
		t.Errorf("Loaded: got %v, %v", done, err)
	}
	if done, err := h.w.Load(t.Context(), LoadTable, []port.LoadCommit{h.commit(t, "a", "05", 1, false)}); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("Load: got %v, %v, want ErrNotFound", done, err)
	}
}

func (h *warehouseTest) arrives(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 3, false), h.commit(t, "b", "06", 2, false)
	h.load(t, h.w, a, b)
	h.holds(t, a, b)
	done, err := h.w.Loaded(t.Context(), "loads", []string{b.ID, "loads/topic/0/never", a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loadedOf(a, b), done); diff != "" {
		t.Errorf("Loaded differs (-want +got):\n%s", diff)
	}
	done, err = h.w.LoadedOf(t.Context(), "loads", b.Values)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loadedOf(b), done); diff != "" {
		t.Errorf("LoadedOf differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a-0|", "a-1|1.5", "a-2|", "b-0|", "b-1|1.5"}, sortedLines(h.Contents(t, "loads", "id", "speed"))); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
}

func (h *warehouseTest) replay(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 3, false), h.commit(t, "b", "05", 2, false)
	h.load(t, h.w, a)
	h.load(t, h.w, a)
	h.load(t, h.w, b, a, b) // a is done, b is not, and it comes twice
	h.holds(t, a, b)
}

func (h *warehouseTest) eight(t *testing.T) {
	h.ensure(t, LoadTable)
	a := h.commit(t, "a", "05", 100, false)
	loadTogether(8, func(int) { h.load(t, h.Open(t), a) })
	h.holds(t, a)
}

func (h *warehouseTest) overlapping(t *testing.T) {
	h.ensure(t, LoadTable)
	var commits []port.LoadCommit
	for i := range 6 {
		commits = append(commits, h.commit(t, fmt.Sprintf("c%d", i), fmt.Sprintf("%02d", i%2), 4, false))
	}
	loadTogether(4, func(i int) { h.load(t, h.Open(t), commits[i:i+3]...) })
	h.holds(t, commits...)
}

func (h *warehouseTest) wrong(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 3, false), h.commit(t, "b", "05", 3, false)
	c, d := h.commit(t, "c", "05", 3, false), h.commit(t, "d", "05", 3, true)
	e := h.commit(t, "e", "05", 3, false)
	c.Files[0].Rows++                                    // other rows
	d.Columns = h.commit(t, "x", "05", 0, false).Columns // other columns
	_, err := h.w.Load(t.Context(), LoadTable, []port.LoadCommit{a, b, c, d, e})
	if !errors.Is(err, port.ErrQueryFailed) || !strings.Contains(err.Error(), c.ID) || !strings.Contains(err.Error(), d.ID) {
		t.Errorf("got %v, want ErrQueryFailed that names both commits", err)
	}
	if rejected := port.Rejections(err); len(rejected) != 2 || rejected[0].ID != c.ID || rejected[1].ID != d.ID {
		t.Errorf("%v are rejected, want both commits", rejected)
	}
	h.holds(t, a, b, e)
	bad := h.commit(t, "bad", "05", 1, false)
	bad.Columns = append(slices.Clone(bad.Columns), "never")
	if _, err := h.w.Load(t.Context(), LoadTable, []port.LoadCommit{bad}); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("a column that the table has not: got %v", err)
	}
	h.holds(t, a, b, e)
}

func (h *warehouseTest) noFiles(t *testing.T) {
	h.ensure(t, LoadTable)
	a := port.LoadCommit{ID: "loads/topic/0/a", Values: []string{KnownDate, "05"}}
	h.load(t, h.w, a)
	h.holds(t, a)
}

func (h *warehouseTest) many(t *testing.T) {
	h.ensure(t, LoadTable)
	var commits []port.LoadCommit
	for i := range 26 {
		commits = append(commits, h.commit(t, fmt.Sprintf("c%02d", i), fmt.Sprintf("%02d", i/2), 1+i%3, false))
	}
	h.load(t, h.w, commits...)
	h.holds(t, commits...)
}

func (h *warehouseTest) lost(t *testing.T) {
	h.ensure(t, LoadTable)
	a := h.commit(t, "a", "05", 3, false)
	h.LoseAnswers(t)
	w := h.Open(t)
	_, err := w.Load(t.Context(), LoadTable, []port.LoadCommit{a})
	if err != nil && !errors.Is(err, port.ErrTransient) && !errors.Is(err, ErrInjected) {
		t.Errorf("got %v, want an error that passes", err)
	}
	done, err := h.w.Loaded(t.Context(), "loads", []string{a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loadedOf(a), done); diff != "" {
		t.Errorf("Loaded differs (-want +got):\n%s", diff)
	}
	h.load(t, h.w, a)
	h.holds(t, a)
}

func loadIDs(commits ...port.LoadCommit) []string {
	all := make([]string, len(commits))
	for i, c := range commits {
		all[i] = c.ID
	}
	return all
}

func (h *warehouseTest) reload(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 3, false), h.commit(t, "b", "05", 2, false)
	c, other := h.commit(t, "c", "05", 4, false), h.commit(t, "other", "06", 2, false)
	h.load(t, h.w, a, b, other)
	rows, err := h.w.Reload(t.Context(), LoadTable, port.Reload{Values: a.Values, Commits: []port.LoadCommit{a, b, c}, Known: loadIDs(a, b)})
	if err != nil || rows != 9 {
		t.Errorf("%d rows, %v, want 9", rows, err)
	}
	h.holds(t, a, b, c, other)
	h.load(t, h.w, c) // the reload has entered it
	h.holds(t, a, b, c, other)
	mixed := port.Reload{Values: a.Values, Commits: []port.LoadCommit{a, b, c, other}}
	if _, err := h.w.Reload(t.Context(), LoadTable, mixed); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("a commit of another Hive partition: got %v, want ErrQueryFailed", err)
	}
	short := c
	short.Files = []port.LoadFile{c.Files[0]}
	short.Files[0].Rows--
	if _, err := h.w.Reload(t.Context(), LoadTable, port.Reload{Values: a.Values, Commits: []port.LoadCommit{a, b, short}}); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("other rows: got %v, want ErrQueryFailed", err)
	}
	h.holds(t, a, b, c, other)
}

func (h *warehouseTest) reloadStale(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 3, false), h.commit(t, "b", "05", 2, false)
	h.load(t, h.w, a, b)
	if _, err := h.w.Reload(t.Context(), LoadTable, port.Reload{Values: a.Values, Commits: []port.LoadCommit{a}}); !errors.Is(err, port.ErrMoreLoaded) {
		t.Errorf("got %v, want ErrMoreLoaded", err)
	}
	h.holds(t, a, b)
}

// reloadBeside reloads a Hive partition as a command would, while its commits are loaded one after the other.
func (h *warehouseTest) reloadBeside(t *testing.T) {
	h.ensure(t, LoadTable)
	var commits []port.LoadCommit
	for i := range 6 {
		commits = append(commits, h.commit(t, fmt.Sprintf("c%d", i), "05", 2, false))
	}
	loadTogether(2, func(i int) {
		w := h.Open(t)
		for n := range commits {
			if i == 0 {
				h.load(t, w, commits[n])
				continue
			}
			logged, err := w.LoadedOf(t.Context(), "loads", commits[0].Values)
			if err != nil {
				t.Error(err)
				return
			}
			known := make([]string, len(logged))
			for k, c := range logged {
				known[k] = c.ID
			}
			files := commits[:max(len(logged), n)] // what is loaded was committed before, and perhaps more is
			_, err = w.Reload(t.Context(), LoadTable, port.Reload{Values: commits[0].Values, Commits: files, Known: known})
			if err != nil && !errors.Is(err, port.ErrMoreLoaded) {
				t.Error(err)
			}
		}
	})
	h.load(t, h.w, commits...)
	h.holds(t, commits...)
}

func (h *warehouseTest) addedColumn(t *testing.T) {
	h.ensure(t, LoadTable)
	a, b := h.commit(t, "a", "05", 1, false), h.commit(t, "b", "05", 1, false)
	h.load(t, h.w, a)
	h.ensure(t, NotedTable)
	h.ensure(t, LoadTable) // an older program: nothing is taken away
	c := h.commit(t, "c", "05", 1, true)
	done, err := h.w.Load(t.Context(), NotedTable, []port.LoadCommit{b, c})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loadedOf(b, c), done); diff != "" {
		t.Errorf("what Load tells differs (-want +got):\n%s", diff)
	}
	h.holds(t, a, b, c)
	if diff := cmp.Diff([]string{"a-0|", "b-0|", "c-0|note of c-0"}, sortedLines(h.Contents(t, "loads", "id", "note"))); diff != "" {
		t.Errorf("notes differ (-want +got):\n%s", diff)
	}
}

func (h *warehouseTest) otherType(t *testing.T) {
	h.ensure(t, LoadTable)
	a := h.commit(t, "a", "05", 1, false)
	h.load(t, h.w, a)
	other := LoadTable
	other.Columns = slices.Clone(LoadTable.Columns)
	other.Columns[1].Type = "bigint"
	other.Columns = append(other.Columns, port.WarehouseColumn{Name: "more", Type: "bigint"})
	if err := h.w.EnsureTable(t.Context(), other); !errors.Is(err, port.ErrQueryFailed) || !strings.Contains(err.Error(), "speed") {
		t.Errorf("got %v, want ErrQueryFailed that names the column", err)
	}
	h.load(t, h.w, a)
	h.holds(t, a)
}
