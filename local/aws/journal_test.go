package aws

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"pgregory.net/rapid"

	glueadapter "citystream/engine/adapter/glue"
	"citystream/engine/port"
)

func TestWhatWasAnsweredSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, Options{Dir: dir})
	withTables(t, first.glue, "a", "b", "gone")
	in := &gluesdk.BatchCreatePartitionInput{DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInputList: numbered(30)}
	must[*gluesdk.BatchCreatePartitionOutput](t)(first.glue.BatchCreatePartition(t.Context(), in))
	must[*gluesdk.DeleteTableOutput](t)(first.glue.DeleteTable(t.Context(), &gluesdk.DeleteTableInput{DatabaseName: sdk.String(db), Name: sdk.String("gone")}))
	must[*gluesdk.DeletePartitionOutput](t)(first.glue.DeletePartition(t.Context(), &gluesdk.DeletePartitionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionValues: []string{"00007"},
	}))

	// What kill -9 leaves is the file as it is now, with half a record more at the worst.
	left, err := os.ReadFile(filepath.Join(dir, "catalog.journal"))
	if err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	if err := os.WriteFile(filepath.Join(killed, "catalog.journal"), append(left, "0123abcd {\"Table\":"...), 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, Options{Dir: killed})
	got, err := glueadapter.New(second.glue).Partitions(t.Context(), db, "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 29 || got[7].Values[0] != "00008" || got[0].Location != "s3://lake/a/p=00000/" {
		t.Errorf("%d partitions, %v", len(got), got)
	}
	tables := must[*gluesdk.GetTablesOutput](t)(second.glue.GetTables(t.Context(), &gluesdk.GetTablesInput{DatabaseName: sdk.String(db)}))
	if len(tables.TableList) != 2 || len(tables.TableList[0].StorageDescriptor.Columns) != 1 {
		t.Errorf("tables are %+v", tables.TableList)
	}
	out := must[*gluesdk.BatchCreatePartitionOutput](t)(second.glue.BatchCreatePartition(t.Context(), in))
	if len(out.Errors) != 29 {
		t.Errorf("%d of 30 partitions are there already", len(out.Errors))
	}
}

// records opens a journal, and returns what it has.
func records(path string) (*journal, []string, error) {
	var found []string
	j, err := openJournal(path, func(r []byte) error {
		found = append(found, string(r))
		return nil
	})
	return j, found, err
}

func TestAJournalCutAnywhereHasTheRecordsBeforeTheCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.SliceOfN(rapid.StringMatching(`[a-z {}"]{0,20}`), 0, 8).Draw(t, "records")
		var whole []byte
		ends := []int{0}
		for _, r := range written {
			whole = frame(whole, []byte(r))
			ends = append(ends, len(whole))
		}
		cut := rapid.IntRange(0, len(whole)).Draw(t, "cut")
		garbage := rapid.SampledFrom([]string{"", "\x00\x00\x00", "12345678 torn", "x\n"}).Draw(t, "garbage")
		path := filepath.Join(dir, "journal")
		if err := os.WriteFile(path, append(whole[:cut:cut], garbage...), 0o600); err != nil {
			t.Fatal(err)
		}
		n, found := slices.BinarySearch(ends, cut)
		if !found {
			n--
		}
		for _, more := range []string{"", "after"} { // the second opening sees what was appended behind the cut
			want := slices.Clone(written[:n])
			if more != "" {
				want = append(want, more)
			}
			j, got, err := records(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			if more == "" {
				if err := j.append([]byte("after")); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDamageBeforeWholeRecordsIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	content := frame(nil, []byte("first"), []byte("second"), []byte("third"))
	content = bytes.Replace(content, []byte("second"), []byte("sEcond"), 1)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := records(path); err == nil || !strings.Contains(err.Error(), "damaged at byte 15") {
		t.Errorf("got %v", err)
	}
}

func TestAFailedAppendLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := records(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.append([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	good := j.file
	if j.file, err = os.Open(path); err != nil { // opened for reading: the disk refuses
		t.Fatal(err)
	}
	if err := j.append([]byte("lost")); err == nil {
		t.Error("no error")
	}
	if err := j.append([]byte("lost too")); err == nil {
		t.Error("a journal whose end is unknown was appended to")
	}
	if err := good.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j, got, err := records(path)
	if err != nil || !slices.Equal(got, []string{"kept"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheJournalFollowsTheSizeOfTheCatalogAndNotItsHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	c, err := openCatalog(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	commit := func(ch ...*change) {
		t.Helper()
		c.writing.Lock()
		defer c.writing.Unlock()
		if err := c.commit(ch...); err != nil {
			t.Fatal(err)
		}
	}
	commit(&change{Database: &glueDatabase{databaseInput: databaseInput{Name: db}}},
		&change{Table: &glueTable{tableInput: *plainTable("a"), DatabaseName: db, VersionID: "0"}})
	for i := range 400 {
		commit(&change{Partitions: []*gluePartition{{
			partitionInput: partitionInput{
				Values: []string{fmt.Sprint(i % 10)}, Parameters: map[string]string{"filling": strings.Repeat("x", 10_000), "i": fmt.Sprint(i)},
			},
			DatabaseName: db, TableName: "a",
		}}})
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 2*rewriteMin {
		t.Errorf("the journal has %d bytes", info.Size())
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	c, err = openCatalog(path, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	_, partitions, err := c.view(db, "a")
	if err != nil || len(partitions) != 10 {
		t.Fatalf("%d partitions, %v", len(partitions), err)
	}
	for i, p := range partitions {
		if want := fmt.Sprint(390 + i); p.Parameters["i"] != want {
			t.Errorf("partition %v is of write %s, want %s", p.Values, p.Parameters["i"], want)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

func plainTable(name string) *tableInput {
	return &tableInput{Name: name, PartitionKeys: []glueColumn{{Name: "p", Type: "string"}}}
}

// The cost of a batch must be that of the batch, however many partitions there are.
func BenchmarkRegisterAHundredPartitionsAmongTenThousand(b *testing.B) {
	c, err := openCatalog(filepath.Join(b.TempDir(), "journal"), func(err error) { b.Error(err) })
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.close() }()
	g := &glue{catalog: c, now: time.Now}
	if _, err := g.createDatabase(&struct {
		DatabaseInput databaseInput
		Tags          map[string]string
	}{DatabaseInput: databaseInput{Name: db}}); err != nil {
		b.Fatal(err)
	}
	if err := c.commit(&change{Table: &glueTable{tableInput: *plainTable("a"), DatabaseName: db, VersionID: "0"}}); err != nil {
		b.Fatal(err)
	}
	batch := func(from int) []partitionInput {
		inputs := make([]partitionInput, 100)
		for i := range inputs {
			inputs[i] = partitionInput{Values: []string{fmt.Sprintf("%09d", from+i)}, StorageDescriptor: &storageDescriptor{Location: "s3://lake/a/"}}
		}
		return inputs
	}
	for i := range 100 {
		if _, err := g.create(of{db, "a"}, batch(i*100)); err != nil {
			b.Fatal(err)
		}
	}
	next := 10_000
	for b.Loop() {
		if _, err := g.create(of{db, "a"}, batch(next)); err != nil {
			b.Fatal(err)
		}
		next += 100
	}
}

func TestNamesAreInLowerCase(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	c := glueadapter.New(e.glue)
	if err := c.EnsureDatabase(t.Context(), "Smart-City"); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTable(t.Context(), "SMART-CITY", port.CatalogTable{
		Name: "Vehicle_Data", Location: "s3://lake/v/", Columns: []port.CatalogColumn{{Name: "deviceId", Type: "string"}},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Table(t.Context(), "smart-city", "VEHICLE_data")
	if err != nil || got.Name != "vehicle_data" || got.Columns[0].Name != "deviceid" {
		t.Errorf("got %+v, %v", got, err)
	}
}
