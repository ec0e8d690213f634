package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A note is what a folder cannot say about a file. It is named after the key and one content of it, so that
// it never belongs to the file before or after.
type note struct {
	Key         string            `json:"key"`
	ContentType string            `json:"type,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// noteOf returns the zero note where the file needs none.
func noteOf(key string, o PutOptions) note {
	if o.ContentType == typeOf(key) && len(o.Metadata) == 0 {
		return note{}
	}
	return note{Key: key, ContentType: o.ContentType, Metadata: o.Metadata}
}

func notePath(key, etag string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%s/%x-%s", metaFolder, sum[:16], strings.Trim(etag, `"`))
}

// save writes the note of a content.
func (n note) save(root *os.Root, etag string) error {
	if n.Key == "" {
		return nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(metaFolder, 0o755); err != nil {
		return fileError(err)
	}
	temp := tempFolder + "/" + rand.Text()
	if _, err := write(context.Background(), root, temp, bytes.NewReader(text)); err != nil {
		return err
	}
	if err := root.Rename(temp, notePath(n.Key, etag)); err != nil {
		_ = root.Remove(temp)
		return fileError(err)
	}
	return nil
}

// loadNote completes what is known about a file.
func loadNote(root *os.Root, info *Info) {
	text, err := root.ReadFile(notePath(info.Key, info.ETag))
	if err != nil {
		return // most have none
	}
	var n note
	if json.Unmarshal(text, &n) == nil && n.Key == info.Key {
		info.ContentType, info.Metadata = n.ContentType, n.Metadata
	}
}

func removeNote(root *os.Root, key, etag string) { _ = root.Remove(notePath(key, etag)) }
