package cache

import (
	"encoding/binary"
	"errors"
	"time"
)

// In Redis an entry is
//
//	0x00 'c' 0x01, kind, flag, fresh (8 bytes of milliseconds, big endian, 0 for never),
//	the number of tags, then each tag and its version with their lengths before them, the value
//
// with numbers as unsigned varints. An Integer without tags is its decimal text, as INCRBY wants
// it; no such text begins with 0x00.
const magic = "\x00c\x01"

// kinds of entries.
const (
	kindValue byte = iota
	kindMissing
)

var errForeign = errors.New("the value in Redis was not written by this cache; give the cache a prefix of its own")

func encode(e Entry) []byte {
	if e.plainInteger() {
		return e.Value
	}
	b := make([]byte, 0, len(magic)+16+len(e.Value)+64*len(e.Tags))
	b = append(b, magic...)
	if e.Missing {
		b = append(b, kindMissing, e.Flag)
	} else {
		b = append(b, kindValue, e.Flag)
	}
	var fresh uint64
	if !e.Fresh.IsZero() {
		fresh = uint64(e.Fresh.UnixMilli())
	}
	b = binary.BigEndian.AppendUint64(b, fresh)
	b = binary.AppendUvarint(b, uint64(len(e.Tags)))
	for i, tag := range e.Tags {
		b = appendText(b, tag)
		version := ""
		if e.Since != nil && i < len(e.Since.versions) {
			version = e.Since.versions[i]
		}
		b = appendText(b, version)
	}
	return append(b, e.Value...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads an entry and the versions of its tags.
func decode(b []byte) (Entry, []string, error) {
	if len(b) > 0 && b[0] != 0 {
		return decodeInteger(b)
	}
	if len(b) < len(magic)+11 || string(b[:len(magic)]) != magic || b[3] > kindMissing {
		return Entry{}, nil, errForeign
	}
	e := Entry{Missing: b[3] == kindMissing}
	e.Flag = b[4]
	if fresh := binary.BigEndian.Uint64(b[5:]); fresh != 0 {
		e.Fresh = time.UnixMilli(int64(fresh))
	}
	n, size := binary.Uvarint(b[13:])
	if size <= 0 || n > MaxTags {
		return Entry{}, nil, errForeign
	}
	b = b[13+size:]
	var versions []string
	for range n {
		var tag, version string
		var ok1, ok2 bool
		tag, b, ok1 = cutText(b)
		version, b, ok2 = cutText(b)
		if !ok1 || !ok2 {
			return Entry{}, nil, errForeign
		}
		e.Tags, versions = append(e.Tags, tag), append(versions, version)
	}
	e.Value = b
	return e, versions, nil
}

func decodeInteger(b []byte) (Entry, []string, error) {
	digits := b
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return Entry{}, nil, errForeign
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return Entry{}, nil, errForeign
		}
	}
	return Entry{Item: Item{Value: b, Flag: Integer}}, nil, nil
}

func cutText(b []byte) (string, []byte, bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", b, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}
