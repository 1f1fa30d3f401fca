package verify

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"citystream/engine/port"
)

// blocks reads an object in blocks, and keeps the last few: columns lie apart, and are read beside each other.
type blocks struct {
	ctx   context.Context
	store port.Store
	key   string
	size  int64
	kept  map[int64][]byte
	order []int64
	err   error // of the store
}

const (
	blockBytes = 1 << 20
	blocksKept = 32
)

// ReadAt implements io.ReaderAt.
func (b *blocks) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < b.size {
		block, err := b.block(off / blockBytes)
		if err != nil {
			return n, err
		}
		i := off % blockBytes
		if i >= int64(len(block)) {
			return n, io.ErrUnexpectedEOF
		}
		m := copy(p[n:], block[i:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *blocks) block(i int64) ([]byte, error) {
	if body, ok := b.kept[i]; ok {
		return body, nil
	}
	body, err := b.store.GetRange(b.ctx, b.key, i*blockBytes, min(blockBytes, b.size-i*blockBytes))
	if err != nil {
		b.err = err
		return nil, err
	}
	if b.kept == nil {
		b.kept = map[int64][]byte{}
	}
	if len(b.order) == blocksKept {
		delete(b.kept, b.order[0])
		b.order = b.order[1:]
	}
	b.kept[i], b.order = body, append(b.order, i)
	return body, nil
}

// checkParts holds the bytes of a file against the checksums of the parts that it was uploaded in.
func (b *blocks) checkParts(parts []part) error {
	off := int64(0)
	for _, p := range parts {
		off += max(p.Size, 0)
	}
	if off != b.size {
		return &contentError{fmt.Sprintf("its entry has checksums of %d bytes, the file has %d", off, b.size)}
	}
	off = 0
	for i, p := range parts {
		sum := crc32.NewIEEE()
		if _, err := io.Copy(sum, io.NewSectionReader(b, off, p.Size)); err != nil {
			return fmt.Errorf("part %d: %w", i+1, err)
		}
		off += p.Size
		if got := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32())); got != p.CRC32 {
			return &contentError{fmt.Sprintf("its bytes from %d to %d are not those that were uploaded: checksum %s, committed was %s", off-p.Size, off-1, got, p.CRC32)}
		}
	}
	return nil
}
