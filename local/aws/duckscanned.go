//go:build cgo

package aws

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// profiling lets the engine tell, of the last statement, which files were read.
var profiling = []string{
	`SET enable_profiling = 'no_output'`,
	`SET custom_profiling_settings = '{"EXTRA_INFO": "true", "OPERATOR_NAME": "true"}'`,
}

var (
	filesRead  = regexp.MustCompile(`Total Files Read=(\d+)`)
	filesNamed = regexp.MustCompile(`(?s)'?Filename\(s\)'?='?(.*?)'?[,}]`)
)

// bytesScanned returns the bytes of the files that the last statement has opened, each with its whole size. Athena counts the columns that it
// reads, so this is at least as much. Where the engine names only the first of many files, the others count as if they were like these.
func (s *session) bytesScanned() int64 {
	info, err := duckdb.GetProfilingInfo(s.conn)
	if err != nil {
		return s.allBytes() // nothing else is known
	}
	return s.scannedBy(&info)
}

func (s *session) scannedBy(p *duckdb.ProfilingInfo) int64 {
	var bytes int64
	if strings.HasPrefix(strings.TrimSpace(p.Metrics["OPERATOR_NAME"]), "READ_") {
		bytes = s.scannedFiles(p.Metrics["EXTRA_INFO"])
	}
	for i := range p.Children {
		bytes += s.scannedBy(&p.Children[i])
	}
	return bytes
}

// scannedFiles reads what one scan tells of itself.
func (s *session) scannedFiles(told string) int64 {
	number := filesRead.FindStringSubmatch(told)
	names := filesNamed.FindStringSubmatch(told)
	if number == nil || names == nil {
		return s.allBytes()
	}
	n, err := strconv.ParseInt(number[1], 10, 64)
	if err != nil {
		return s.allBytes()
	}
	var bytes, known int64
	for path, size := range s.sizes {
		if strings.Contains(names[1], path) {
			bytes, known = bytes+size, known+1
		}
	}
	if known == 0 {
		return s.allBytes()
	}
	return bytes * n / known
}

// allBytes returns the bytes of all files of the query's tables.
func (s *session) allBytes() int64 {
	var bytes int64
	for _, size := range s.sizes {
		bytes += size
	}
	return bytes
}
