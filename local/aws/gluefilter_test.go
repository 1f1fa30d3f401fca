package aws

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"pgregory.net/rapid"
)

// foundPartitions returns the values of the partitions that an expression finds, joined by slashes.
func foundPartitions(t *testing.T, c *gluesdk.Client, in gluesdk.GetPartitionsInput) []string {
	t.Helper()
	in.DatabaseName, in.TableName = sdk.String(db), sdk.String("a")
	all := []string{}
	for pages := gluesdk.NewGetPartitionsPaginator(c, &in); pages.HasMorePages(); {
		for _, p := range must[*gluesdk.GetPartitionsOutput](t)(pages.NextPage(t.Context())).Partitions {
			all = append(all, strings.Join(p.Values, "/"))
		}
	}
	slices.Sort(all) // moto has its own order
	return all
}

func withPartitions(t *testing.T, c *gluesdk.Client, keys []types.Column, values ...string) {
	t.Helper()
	withTables(t, c)
	in := tableInputOf("a")
	in.PartitionKeys = keys
	must[*gluesdk.CreateTableOutput](t)(c.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: in}))
	var inputs []types.PartitionInput
	for _, v := range values {
		inputs = append(inputs, types.PartitionInput{Values: strings.Split(v, "/"), StorageDescriptor: &types.StorageDescriptor{Location: sdk.String("s3://lake/a/" + v + "/")}})
	}
	for batch := range slices.Chunk(inputs, 100) {
		out := must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
			DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInputList: batch,
		}))
		if len(out.Errors) > 0 {
			t.Fatalf("%+v", out.Errors)
		}
	}
}

func keyOf(name, typ string) types.Column { return types.Column{Name: &name, Type: &typ} }

func partitionsByExpression(t *testing.T, c *gluesdk.Client) {
	withPartitions(t, c, []types.Column{keyOf("date", "string"), keyOf("hour", "string")},
		"2026-11-01/05", "2026-11-01/06", "2026-11-02/05", "2026-11-02/5", "2026-12-01/23")
	for expression, want := range map[string]string{
		"date = '2026-11-01'":                                            "2026-11-01/05 2026-11-01/06",
		"date <> '2026-11-01' AND hour = '05'":                           "2026-11-02/05",
		"hour < '06'":                                                    "2026-11-01/05 2026-11-02/05",
		"hour <= '06' and date>'2026-11-01'":                             "2026-11-02/05",
		"hour >= '06'":                                                   "2026-11-01/06 2026-11-02/5 2026-12-01/23",
		"date IN ('2026-12-01', '2026-11-02')":                           "2026-11-02/05 2026-11-02/5 2026-12-01/23",
		"date NOT IN ('2026-12-01', '2026-11-02')":                       "2026-11-01/05 2026-11-01/06",
		"date BETWEEN '2026-11-02' AND '2026-12-31'":                     "2026-11-02/05 2026-11-02/5 2026-12-01/23",
		"date NOT BETWEEN '2026-11-02' AND '2026-12-31'":                 "2026-11-01/05 2026-11-01/06",
		"date LIKE '2026-11%'":                                           "2026-11-01/05 2026-11-01/06 2026-11-02/05 2026-11-02/5",
		"hour LIKE '_5'":                                                 "2026-11-01/05 2026-11-02/05",
		"hour NOT LIKE '0%'":                                             "2026-11-02/5 2026-12-01/23",
		"hour = '23' OR date = '2026-11-01' AND hour = '06'":             "2026-11-01/06 2026-12-01/23",
		"(hour = '23' OR date = '2026-11-01') AND hour = '06'":           "2026-11-01/06",
		"date IS NULL":                                                   "",
		"date IS NOT NULL AND hour = '5'":                                "2026-11-02/5",
		"((date = '2026-11-02') AND ((hour = '5') OR (hour = 'it''s')))": "2026-11-02/5",
	} {
		if got := strings.Join(foundPartitions(t, c, gluesdk.GetPartitionsInput{Expression: &expression}), " "); got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

func typedExpressions(t *testing.T, c *gluesdk.Client) {
	withPartitions(t, c, []types.Column{keyOf("n", "int"), keyOf("b", "bigint"), keyOf("d", "date"), keyOf("ts", "timestamp"), keyOf("x", "decimal"), keyOf("v", "string")},
		"5/100/2026-11-01/2026-11-01 06:00:00/1.5/a", "10/99/2026-11-02/2026-11-01 06:00:00.5/10.25/b", "-3/9223372036854775807/2025-01-31/1969-12-31 23:59:59/-2/c")
	for expression, want := range map[string]string{
		"n > 5":                        "b",
		"n >= 5":                       "a b",
		"n < 0":                        "c",
		"n IN (5, -3)":                 "a c",
		"n BETWEEN -5 AND 5":           "a c",
		"b >= 100":                     "a c",
		"b = 9223372036854775807":      "c",
		"d > '2026-01-01'":             "a b",
		"d = '2025-01-31'":             "c",
		"ts > '2026-11-01 06:00:00'":   "b",
		"ts < '1970-01-01 00:00:00'":   "c",
		"x > 2":                        "b",
		"x = 1.50":                     "a",
		"v LIKE 'b%' OR n = 5":         "a b",
		"n = 5 AND b = 99 OR x < 0":    "c",
		"n <> 5 AND d >= '2026-11-02'": "b",
		"d BETWEEN '2025-01-31' AND '2026-11-01' AND n = 5": "a",
	} {
		var letters []string
		for _, p := range foundPartitions(t, c, gluesdk.GetPartitionsInput{Expression: &expression}) {
			letters = append(letters, p[strings.LastIndex(p, "/")+1:])
		}
		slices.Sort(letters)
		if got := strings.Join(letters, " "); got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
	for _, expression := range []string{"n LIKE '5%'", "n = 'five'", "d = '2026-13-01'", "ts = '2026-11-01'", "nothing = 1", "n =", "n = 5 AND", "(n = 5", "n"} {
		_, err := c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{DatabaseName: sdk.String(db), TableName: sdk.String("a"), Expression: &expression})
		wantCode(t, expression, err, "InvalidInputException")
	}
}

func threeHundred() []string {
	values := make([]string, 300)
	for i := range values {
		values[i] = fmt.Sprintf("%05d", i)
	}
	return values
}

func expressionPages(t *testing.T, c *gluesdk.Client) {
	all := threeHundred()
	withPartitions(t, c, []types.Column{keyOf("p", "int")}, all...)
	in := gluesdk.GetPartitionsInput{Expression: sdk.String("p >= 10 AND p < 60"), MaxResults: sdk.Int32(25)}
	if got := foundPartitions(t, c, in); !slices.Equal(got, all[10:60]) {
		t.Errorf("got %v", got)
	}
	in.DatabaseName, in.TableName = sdk.String(db), sdk.String("a")
	first := must[*gluesdk.GetPartitionsOutput](t)(c.GetPartitions(t.Context(), &in))
	in.NextToken = first.NextToken
	second := must[*gluesdk.GetPartitionsOutput](t)(c.GetPartitions(t.Context(), &in))
	if len(first.Partitions) != 25 || len(second.Partitions) != 25 || second.NextToken != nil {
		t.Errorf("pages of %d and %d, then %v", len(first.Partitions), len(second.Partitions), second.NextToken)
	}
}

func partitionSegments(t *testing.T, c *gluesdk.Client) {
	all := threeHundred()
	withPartitions(t, c, []types.Column{keyOf("p", "string")}, all...)
	var together []string
	for i := range int32(5) {
		part := foundPartitions(t, c, gluesdk.GetPartitionsInput{Segment: &types.Segment{SegmentNumber: i, TotalSegments: sdk.Int32(5)}, MaxResults: sdk.Int32(7)})
		if len(part) < 20 || len(part) > 120 {
			t.Errorf("segment %d has %d of %d", i, len(part), len(all))
		}
		together = append(together, part...)
	}
	slices.Sort(together)
	if !slices.Equal(together, all) {
		t.Errorf("segments hold %d of %d", len(together), len(all))
	}
	_, err := c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), Segment: &types.Segment{SegmentNumber: 5, TotalSegments: sdk.Int32(5)},
	})
	wantCode(t, "a segment beyond the last", err, "InvalidInputException")
}

func noPartitionIndexes(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	out := must[*gluesdk.GetPartitionIndexesOutput](t)(c.GetPartitionIndexes(t.Context(), &gluesdk.GetPartitionIndexesInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"),
	}))
	if len(out.PartitionIndexDescriptorList) != 0 {
		t.Errorf("%+v", out)
	}
}

func TestNullIsNeitherEqualNorDifferent(t *testing.T) {
	t.Parallel()
	keys := []glueColumn{{Name: "p", Type: "int"}, {Name: "q", Type: "varchar(9)"}}
	for expression, want := range map[string]bool{
		"p IS NULL": true, "p IS NOT NULL": false, "NOT p IS NULL": false,
		"p = 1": false, "p <> 1": false, "NOT p = 1": false, "p IN (1)": false, "p NOT IN (1)": false,
		"p BETWEEN 1 AND 2": false, "p NOT BETWEEN 1 AND 2": false,
		"p = 1 OR q = 'a'": true, "p = 1 AND q = 'b'": false, "NOT (p = 1 AND q = 'b')": true,
		"1 > p": false, "'a' = q": true, "'b' > q": true, "'b' <= q": false, `"q" = 'a'`: true, "`q` != 'b'": true, "q = date 'a'": true,
	} {
		says, err := parseFilter(expression, keys)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := says([]string{hiveNull, "a"}); err != nil || (got == isTrue) != want {
			t.Errorf("%s: got %v, %v, want %t", expression, got, err, want)
		}
	}
}

func TestAValueThatIsNotOfItsTypeIsTold(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withPartitions(t, e.glue, []types.Column{keyOf("p", "int")}, "1", "two")
	_, err := e.glue.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), Expression: sdk.String("p = 1"),
	})
	wantCode(t, "a value that is no number", err, "InvalidStateException")
}

func TestAFaultyExpressionSaysWhere(t *testing.T) {
	t.Parallel()
	keys := []glueColumn{{Name: "p", Type: "int"}, {Name: "b", Type: "boolean"}}
	for expression, want := range map[string]string{
		"p = 1 p":                           `"p" is not expected at position 7`,
		"p ~ 1":                             "position 3",
		"p = 'x":                            "position 5",
		"p NOT = 1":                         `"=" at position 7`,
		"p = p":                             "a literal is expected",
		"p IN ()":                           "a literal is expected",
		"p BETWEEN":                         "ends",
		"p == 1":                            "a comparison is expected",
		"b = true":                          "Unknown type : 'boolean'",
		"1 = 1":                             "a partition key is expected",
		"p = 1e9999":                        "e9999",
		strings.Repeat("(", 1000) + "p = 1": "ends",
		strings.Repeat("x", 3000):           "2048",
	} {
		_, err := parseFilter(expression, keys)
		var f *apiError
		if !errors.As(err, &f) || f.kind != invalidInput || !strings.Contains(f.message, want) {
			t.Errorf("%.40s: got %v, want %s", expression, err, want)
		}
	}
}

// TestExpressionsMeanWhatTheySay makes expressions together with their meaning in Go.
func TestExpressionsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	keys := []glueColumn{{Name: "n", Type: "bigint"}, {Name: "s", Type: "string"}}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		text, means := randomExpression(r, 4)
		says, err := parseFilter(text, keys)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 20 {
			n, s := r.IntN(5)-2, string(rune('a'+r.IntN(4)))
			got, err := says([]string{strconv.Itoa(n), s})
			if err != nil || (got == isTrue) != means(n, s) {
				t.Fatalf("%s of %d and %s: got %v, %v, want %t", text, n, s, got, err, means(n, s))
			}
		}
	})
}

func randomExpression(r *rand.Rand, depth int) (string, func(int, string) bool) {
	if depth == 0 || r.IntN(4) == 0 {
		return randomComparison(r)
	}
	a, meansA := randomExpression(r, depth-1)
	if r.IntN(4) == 0 {
		return "NOT (" + a + ")", func(n int, s string) bool { return !meansA(n, s) }
	}
	b, meansB := randomExpression(r, depth-1)
	if r.IntN(2) == 0 {
		return "(" + a + ") and (" + b + ")", func(n int, s string) bool { return meansA(n, s) && meansB(n, s) }
	}
	return "(" + a + ") Or (" + b + ")", func(n int, s string) bool { return meansA(n, s) || meansB(n, s) }
}

func randomComparison(r *rand.Rand) (string, func(int, string) bool) {
	with, letter := r.IntN(5)-2, string(rune('a'+r.IntN(4)))
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf("n<%d", with), func(n int, _ string) bool { return n < with }
	case 1:
		return fmt.Sprintf("N >= %d", with), func(n int, _ string) bool { return n >= with }
	case 2:
		return fmt.Sprintf("%d <> n", with), func(n int, _ string) bool { return n != with }
	case 3:
		return fmt.Sprintf("s between '%s' and 'c'", letter), func(_ int, s string) bool { return s >= letter && s <= "c" }
	case 4:
		return fmt.Sprintf("s not in ('%s', 'd')", letter), func(_ int, s string) bool { return s != letter && s != "d" }
	default:
		return fmt.Sprintf("'%s' > s", letter), func(_ int, s string) bool { return s < letter }
	}
}

func FuzzAnExpressionIsReadOrRefused(f *testing.F) {
	for _, seed := range []string{"n = 1 AND s <> 'a'", "NOT (s LIKE '_%' OR n IN (1, -2))", "d BETWEEN date '2026-11-01' AND '2026-11-02'", "\"n\" IS NOT NULL", "1.5 <= x", "`s` = 'it''s'"} {
		f.Add(seed)
	}
	keys := []glueColumn{{Name: "n", Type: "int"}, {Name: "s", Type: "string"}, {Name: "d", Type: "date"}, {Name: "x", Type: "decimal(9,2)"}}
	f.Fuzz(func(t *testing.T, expression string) {
		says, err := parseFilter(expression, keys)
		if err != nil {
			var e *apiError
			if !errors.As(err, &e) || e.kind != invalidInput {
				t.Fatalf("%q: %v", expression, err)
			}
			return
		}
		if _, err := says([]string{"1", "a", "2026-11-01", "1.5"}); err != nil {
			t.Fatalf("%q cannot be decided: %v", expression, err)
		}
	})
}

// BenchmarkFindADayAmongTenThousandPartitions is what a reader does before it knows which files to read.
func BenchmarkFindADayAmongTenThousandPartitions(b *testing.B) {
	c, err := openCatalog(filepath.Join(b.TempDir(), "journal"), func(err error) { b.Error(err) })
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.close() }()
	table := &glueTable{tableInput: tableInput{Name: "a", PartitionKeys: []glueColumn{{Name: "date", Type: "date"}, {Name: "hour", Type: "int"}}}, DatabaseName: db}
	partitions := make([]*gluePartition, 10_000)
	for i := range partitions {
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i/24).Format(time.DateOnly)
		partitions[i] = &gluePartition{partitionInput: partitionInput{Values: []string{day, fmt.Sprint(i % 24)}}, DatabaseName: db, TableName: "a"}
	}
	if err := c.commit(&change{Database: &glueDatabase{databaseInput: databaseInput{Name: db}}}, &change{Table: table}, &change{Partitions: partitions}); err != nil {
		b.Fatal(err)
	}
	g := &glue{catalog: c, now: time.Now}
	body := []byte(`{"DatabaseName": "smart-city", "TableName": "a", "Expression": "date = '2026-11-01' AND hour >= 6"}`)
	find := handle(g.getPartitions)
	for b.Loop() {
		answer, err := find(body)
		if err != nil || len(answer.(partitionsAnswer).Partitions) != 18 {
			b.Fatalf("%+v, %v", answer, err)
		}
	}
}
