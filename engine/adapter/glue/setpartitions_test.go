package glue

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"citystream/engine/port"
)

const (
	theirs = `{"Values": ["1"], "Parameters": {"theirs": "x"}, "StorageDescriptor": {"Location": "s3://old/", "InputFormat": "in", "NumberOfBuckets": -1}}`
	ours   = `{"Values": ["1"], "Parameters": {"theirs": "x", "revision": "2"}, "StorageDescriptor": {"Location": "s3://new/"}}`
)

// found is the answer of BatchGetPartition.
func found(partitions ...string) answer {
	return answer{body: fmt.Sprintf(`{"Partitions": [%s]}`, strings.Join(partitions, ","))}
}

func refused(list, code string) answer {
	return answer{body: fmt.Sprintf(`{"Errors": [{%q: ["1"], "ErrorDetail": {"ErrorCode": %q}}]}`, list, code)}
}

func TestAPartitionIsSetWhateverOthersDoMeanwhile(t *testing.T) {
	t.Parallel()
	const created, updated = "PartitionValues", "PartitionValueList"
	for name, test := range map[string]struct {
		answers []answer
		asked   string
	}{
		"there as wanted":         {[]answer{found(ours)}, "BatchGetPartition"},
		"changed":                 {[]answer{found(theirs), {body: "{}"}}, "BatchGetPartition BatchUpdatePartition"},
		"made":                    {[]answer{found(), {body: "{}"}}, "BatchGetPartition BatchCreatePartition"},
		"made by another":         {[]answer{found(), refused(created, "AlreadyExistsException"), found(ours)}, "BatchGetPartition BatchCreatePartition BatchGetPartition"},
		"taken away by another":   {[]answer{found(theirs), refused(updated, "EntityNotFoundException"), found(), {body: "{}"}}, "BatchGetPartition BatchUpdatePartition BatchGetPartition BatchCreatePartition"},
		"changed by another":      {[]answer{found(theirs), {fault: "ConcurrentModificationException"}, found(ours)}, "BatchGetPartition BatchUpdatePartition BatchGetPartition"},
		"throttled in the batch":  {[]answer{found(theirs), refused(updated, "ThrottlingException"), found(theirs), {body: "{}"}}, "BatchGetPartition BatchUpdatePartition BatchGetPartition BatchUpdatePartition"},
		"not looked at the first": {[]answer{{body: `{"UnprocessedKeys": [{"Values": ["1"]}]}`}, found(ours)}, "BatchGetPartition BatchGetPartition"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: test.answers}
			p := port.HivePartition{Values: []string{"1"}, Location: "s3://new/", Parameters: map[string]string{"revision": "2"}}
			if err := s.open(t).SetPartitions(t.Context(), "db", "a", []port.HivePartition{p}); err != nil {
				t.Error(err)
			}
			s.want(t, test.asked)
		})
	}
}

func TestAnUpdateOfAPartitionRepeatsWhatItFound(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{found(theirs), {body: "{}"}}}
	p := port.HivePartition{Values: []string{"1"}, Location: "s3://new/", Parameters: map[string]string{"revision": "2"}}
	if err := s.open(t).SetPartitions(t.Context(), "db", "a", []port.HivePartition{p}); err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal(s.bodies[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"theirs":"x"`, `"revision":"2"`, `"Location":"s3://new/"`, `"InputFormat":"in"`, `"NumberOfBuckets":-1`} {
		if !strings.Contains(string(sent), part) {
			t.Errorf("%s is not in %s", part, sent)
		}
	}
}

func TestAPartitionThatCannotBeSetIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{found(theirs), refused("PartitionValueList", "InvalidInputException")}}
	err := s.open(t).SetPartitions(t.Context(), "db", "a", []port.HivePartition{{Values: []string{"1"}, Location: "s3://new/"}})
	if err == nil || !strings.Contains(err.Error(), "partition 1: InvalidInputException") {
		t.Errorf("got %v", err)
	}
}

func TestACrawlerIsMadeStartedAndWaitedFor(t *testing.T) {
	t.Parallel()
	state := func(state, last string) answer {
		return answer{body: fmt.Sprintf(`{"Crawler": {"State": %q, "LastCrawl": {"Status": %q, "ErrorMessage": "odd"}, "Targets": {"CatalogTargets": [{"DatabaseName": "db", "Tables": ["b", "a"]}]}}}`, state, last)}
	}
	ok, done := answer{body: "{}"}, state("READY", "SUCCEEDED")
	for name, test := range map[string]struct {
		answers []answer
		asked   string
		fails   string
	}{
		"made": {
			[]answer{{fault: "EntityNotFoundException"}, ok, state("READY", ""), ok, state("RUNNING", ""), state("STOPPING", ""), done},
			"GetCrawler CreateCrawler GetCrawler StartCrawler GetCrawler GetCrawler GetCrawler", "",
		},
		"there, and running": {
			[]answer{state("RUNNING", ""), state("RUNNING", ""), state("READY", ""), ok, done},
			"GetCrawler GetCrawler GetCrawler StartCrawler GetCrawler", "",
		},
		"started by another": {
			[]answer{done, done, {fault: "CrawlerRunningException"}, done, ok, done},
			"GetCrawler GetCrawler StartCrawler GetCrawler StartCrawler GetCrawler", "",
		},
		"its run fails": {[]answer{done, done, ok, state("READY", "FAILED")}, "GetCrawler GetCrawler StartCrawler GetCrawler", "FAILED: odd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: test.answers}
			c := s.open(t)
			c.crawlPause = time.Microsecond
			err := c.Crawl(t.Context(), port.Crawl{Name: "c", Role: "r", Database: "db", Tables: []string{"a", "B"}})
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v", err)
			}
			s.want(t, test.asked)
		})
	}
}
