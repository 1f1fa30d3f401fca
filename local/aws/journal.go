package aws

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// A journal is a file of records, one a line, each with its checksum in front. A record is on disk when append returns. It is
// rewritten from what it amounts to once it has grown to several times that, so that its size follows the catalog's and not its history.
//
// Owned by the catalog's writers, one at a time.
type journal struct {
	path   string
	file   *os.File
	size   int64 // of the good records
	base   int64 // size after the last rewriting
	broken error // set once the file's end is unknown: nothing is appended any more
}

// rewriteMin is the size below which a journal is not worth rewriting.
const rewriteMin = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal opens or makes a journal and gives its records to replay, in order. What a crash left half written at the end is cut off.
// A bad record with good ones behind it is damage that no crash explains, and an error.
func openJournal(path string, replay func(record []byte) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open catalog journal: %w", err)
	}
	j := &journal{path: path, file: f}
	if err := j.load(replay); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func (j *journal) load(replay func(record []byte) error) error {
	content, err := io.ReadAll(j.file)
	if err != nil {
		return fmt.Errorf("read %s: %w", j.path, err)
	}
	for rest := content; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		record, ok := unframe(line)
		if !whole || !ok {
			if goodRecordIn(after) {
				return fmt.Errorf("%s is damaged at byte %d, before records that are whole: restore it, or remove it to begin with an empty catalog",
					j.path, j.size)
			}
			break
		}
		if err := replay(record); err != nil {
			return fmt.Errorf("%s at byte %d: %w", j.path, j.size, err)
		}
		j.size += int64(len(line)) + 1
		rest = after
	}
	j.base = j.size
	if err := j.file.Truncate(j.size); err != nil {
		return fmt.Errorf("cut the torn end off %s: %w", j.path, err)
	}
	if _, err := j.file.Seek(j.size, io.SeekStart); err != nil {
		return fmt.Errorf("seek in %s: %w", j.path, err)
	}
	return syncDir(filepath.Dir(j.path))
}

// append writes records and waits until they are on disk. After an error none of them counts.
func (j *journal) append(records ...[]byte) error {
	if j.broken != nil {
		return j.broken
	}
	block := frame(nil, records...)
	_, err := j.file.Write(block)
	if err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		j.size += int64(len(block))
		return nil
	}
	err = fmt.Errorf("append to %s: %w", j.path, err)
	_, seekErr := j.file.Seek(j.size, io.SeekStart)
	if undo := errors.Join(j.file.Truncate(j.size), seekErr, j.file.Sync()); undo != nil {
		j.broken = fmt.Errorf("%w, and the part that was written could not be taken back: %w", err, undo)
	}
	return err
}

// grown tells that rewriting pays.
func (j *journal) grown() bool { return j.size > rewriteMin && j.size > 4*j.base }

// rewrite replaces the journal by the given records, atomically. After an error the old journal goes on.
func (j *journal) rewrite(records [][]byte) error {
	block := frame(nil, records...)
	next, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", j.path, err)
	}
	_, err = next.Write(block)
	if err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(next.Name(), j.path)
	}
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", j.path, errors.Join(err, next.Close(), os.Remove(next.Name())))
	}
	old := j.file
	j.file, j.size, j.base = next, int64(len(block)), int64(len(block))
	return errors.Join(syncDir(filepath.Dir(j.path)), old.Close())
}

func (j *journal) close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", j.path, err)
	}
	return nil
}

// frame appends records as lines: eight hexadecimal digits of the CRC-32C, a space, the record.
func frame(to []byte, records ...[]byte) []byte {
	for _, r := range records {
		to = fmt.Appendf(to, "%08x ", crc32.Checksum(r, castagnoli))
		to = append(append(to, r...), '\n')
	}
	return to
}

// unframe returns the record of a line, and whether it is whole.
func unframe(line []byte) ([]byte, bool) {
	if len(line) < 9 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	return line[9:], err == nil && uint32(sum) == crc32.Checksum(line[9:], castagnoli)
}

// goodRecordIn tells whether any line is a whole record.
func goodRecordIn(lines []byte) bool {
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		if _, ok := unframe(line); ok {
			return true
		}
	}
	return false
}

// syncDir makes the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
