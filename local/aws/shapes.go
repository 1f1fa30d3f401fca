package aws

import (
	"encoding/json"
	"time"
)

// The shapes of Glue's data types, as they go over the wire and into the journal. Members that the endpoint has no use for are kept
// where an update would lose them.

// seconds is a time as AWS's JSON has it: seconds since 1970 UTC, with a fraction.
type seconds float64

func secondsOf(t time.Time) seconds { return seconds(float64(t.UnixMilli()) / 1000) }

type glueColumn struct {
	Name       string
	Type       string            `json:",omitempty"`
	Comment    *string           `json:",omitempty"`
	Parameters map[string]string `json:",omitempty"`
}

type serDeInfo struct {
	Name                 *string           `json:",omitempty"`
	SerializationLibrary *string           `json:",omitempty"`
	Parameters           map[string]string `json:",omitempty"`
}

type sortOrder struct {
	Column    string
	SortOrder int
}

type storageDescriptor struct {
	Columns                []glueColumn      `json:",omitempty"`
	Location               string            `json:",omitempty"`
	AdditionalLocations    []string          `json:",omitempty"`
	InputFormat            string            `json:",omitempty"`
	OutputFormat           string            `json:",omitempty"`
	Compressed             bool              `json:",omitempty"`
	NumberOfBuckets        int32             `json:",omitempty"`
	SerdeInfo              *serDeInfo        `json:",omitempty"`
	BucketColumns          []string          `json:",omitempty"`
	SortColumns            []sortOrder       `json:",omitempty"`
	Parameters             map[string]string `json:",omitempty"`
	StoredAsSubDirectories bool              `json:",omitempty"`
}

type databaseInput struct {
	Name                          string
	Description                   *string           `json:",omitempty"`
	LocationURI                   *string           `json:"LocationUri,omitempty"`
	Parameters                    map[string]string `json:",omitempty"`
	CreateTableDefaultPermissions json.RawMessage   `json:",omitempty"`
	TargetDatabase                json.RawMessage   `json:",omitempty"` // refused
}

type glueDatabase struct {
	databaseInput
	CreateTime seconds
}

type tableInput struct {
	Name              string
	Description       *string            `json:",omitempty"`
	Owner             *string            `json:",omitempty"`
	LastAccessTime    *seconds           `json:",omitempty"`
	LastAnalyzedTime  *seconds           `json:",omitempty"`
	Retention         int32              `json:",omitempty"`
	StorageDescriptor *storageDescriptor `json:",omitempty"`
	PartitionKeys     []glueColumn       `json:",omitempty"`
	ViewOriginalText  *string            `json:",omitempty"`
	ViewExpandedText  *string            `json:",omitempty"`
	TableType         *string            `json:",omitempty"`
	Parameters        map[string]string  `json:",omitempty"`
	TargetTable       json.RawMessage    `json:",omitempty"` // refused
}

// A glueTable is never changed once it is in the catalog: an update puts another in its place.
type glueTable struct {
	tableInput
	DatabaseName string
	CreateTime   seconds
	UpdateTime   seconds
	VersionID    string `json:"VersionId"`
}

type partitionInput struct {
	Values            []string
	LastAccessTime    *seconds           `json:",omitempty"`
	LastAnalyzedTime  *seconds           `json:",omitempty"`
	StorageDescriptor *storageDescriptor `json:",omitempty"`
	Parameters        map[string]string  `json:",omitempty"`
}

// A gluePartition is never changed once it is in the catalog: an update puts another in its place.
type gluePartition struct {
	partitionInput
	DatabaseName string
	TableName    string
	CreationTime seconds
}

// location returns where the partition's files lie.
func (p *gluePartition) location() string {
	if p.StorageDescriptor == nil {
		return ""
	}
	return p.StorageDescriptor.Location
}
