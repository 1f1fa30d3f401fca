package aws

import (
	"errors"
	"hash/fnv"
	"strings"
)

type partitionAnswer struct{ Partition *gluePartition }

func (g *glue) getPartition(in *struct {
	of
	PartitionValues []string
},
) (partitionAnswer, error) {
	p, err := g.catalog.partition(in.DatabaseName, in.TableName, in.PartitionValues)
	return partitionAnswer{p}, err
}

type partitionsAnswer struct {
	Partitions []*gluePartition
	NextToken  string `json:",omitempty"`
}

// A segment is one of several parts of a table's partitions, for clients that read them at the same time.
type segment struct{ SegmentNumber, TotalSegments int }

// segmentsMax is Glue's limit on TotalSegments.
const segmentsMax = 10

func (s *segment) check() error {
	if s != nil && (s.TotalSegments < 1 || s.TotalSegments > segmentsMax || s.SegmentNumber < 0 || s.SegmentNumber >= s.TotalSegments) {
		return fault(invalidInput, "Segment %d of %d is not one of 0 to %d of at most %d.",
			s.SegmentNumber, s.TotalSegments, s.TotalSegments-1, segmentsMax)
	}
	return nil
}

// has tells whether a partition is of the segment. A partition stays in its segment whatever else comes and goes.
func (s *segment) has(p *gluePartition) bool {
	if s == nil || s.TotalSegments == 1 {
		return true
	}
	h := fnv.New32a()
	for _, v := range p.Values {
		_, _ = h.Write([]byte(v + "\x00")) // never fails
	}
	return int(h.Sum32()%uint32(s.TotalSegments)) == s.SegmentNumber
}

func (g *glue) getPartitions(in *struct {
	of
	paging
	Expression          string
	ExcludeColumnSchema bool
	Segment             *segment
},
) (partitionsAnswer, error) {
	if err := errors.Join(in.check(partitionsPage), in.Segment.check()); err != nil {
		return partitionsAnswer{}, err
	}
	after, err := in.after()
	if err != nil {
		return partitionsAnswer{}, err
	}
	wanted, err := g.wantedPartitions(in.of, in.Expression)
	if err != nil {
		return partitionsAnswer{}, err
	}
	found, more, err := g.catalog.partitionsAfter(in.DatabaseName, in.TableName, after, in.limit(partitionsPage),
		func(p *gluePartition) (bool, error) {
			if !in.Segment.has(p) {
				return false, nil
			}
			return wanted(p)
		})
	if err != nil {
		return partitionsAnswer{}, err
	}
	answer := partitionsAnswer{Partitions: found}
	if more {
		answer.NextToken = token(found[len(found)-1].Values...)
	}
	if in.ExcludeColumnSchema {
		answer.Partitions = withoutColumns(found)
	}
	return answer, nil
}

// wantedPartitions returns what an expression says of a table's partitions; without one all are wanted.
func (g *glue) wantedPartitions(in of, expression string) (func(*gluePartition) (bool, error), error) {
	if strings.TrimSpace(expression) == "" {
		return func(*gluePartition) (bool, error) { return true, nil }, nil
	}
	t, err := g.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	says, err := parseFilter(expression, t.PartitionKeys)
	if err != nil {
		return nil, err
	}
	keys := len(t.PartitionKeys)
	return func(p *gluePartition) (bool, error) {
		if len(p.Values) != keys { // the table's keys were changed behind it
			return false, fault(invalidState, "The partition %q has not the %d keys of its table.", p.Values, keys)
		}
		verdict, err := says(p.Values)
		return verdict == isTrue, err
	}, nil
}

func withoutColumns(partitions []*gluePartition) []*gluePartition {
	bare := make([]*gluePartition, len(partitions))
	for i, p := range partitions {
		b := *p
		if p.StorageDescriptor != nil {
			d := *p.StorageDescriptor
			d.Columns = nil
			b.StorageDescriptor = &d
		}
		bare[i] = &b
	}
	return bare
}

type batchPartitionsAnswer struct {
	Partitions      []*gluePartition
	UnprocessedKeys []valueList
}

func (g *glue) batchGetPartition(in *struct {
	of
	PartitionsToGet []valueList
},
) (batchPartitionsAnswer, error) {
	answer := batchPartitionsAnswer{Partitions: []*gluePartition{}, UnprocessedKeys: []valueList{}}
	if n := len(in.PartitionsToGet); n > getBatchMax {
		return answer, tooMany("partitionsToGet", n, getBatchMax)
	}
	if _, err := g.catalog.table(in.DatabaseName, in.TableName); err != nil {
		return answer, err
	}
	for _, v := range in.PartitionsToGet {
		p, err := g.catalog.partition(in.DatabaseName, in.TableName, v.Values)
		switch {
		case err == nil:
			answer.Partitions = append(answer.Partitions, p)
		case !missing(err):
			return answer, err
		}
	}
	return answer, nil
}

type partitionIndexesAnswer struct{ PartitionIndexDescriptorList []none }

// getPartitionIndexes tells that there are none: this catalog finds partitions without them.
func (g *glue) getPartitionIndexes(in *of) (partitionIndexesAnswer, error) {
	_, err := g.catalog.table(in.DatabaseName, in.TableName)
	return partitionIndexesAnswer{[]none{}}, err
}
