package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// DefaultFile is where an app without configured secrets keeps its own, below its folder.
const DefaultFile = ".rws/secret"

// maxFile is more than MaxKeys secrets of any sensible length.
const maxFile = 64 << 10

// Load returns the keys in a file: one secret per line, the current one first, with empty lines
// and lines that begin with "#" left out. A file that does not exist is made with one random
// secret and mode 0600; several processes that start at once all get the same. Its folder is
// made with mode 0700, and with a .gitignore that keeps all of it out of version control.
//
// A file that others may read is refused (on Windows its rights are not checked).
func Load(name string) (*Keys, error) {
	keys, err := read(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := create(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("secrets: making %s: %w; set secrets in the configuration, or make the folder writable", name, err)
	}
	return read(name)
}

// patience is how long read waits for a file that another process has made but not yet filled,
// which happens only where the system knows no hard links.
const patience = 2 * time.Second

func read(name string) (*Keys, error) {
	text, err := readFile(name)
	for end := time.Now().Add(patience); err == nil && !strings.HasSuffix(text, "\n") && len(text) < MinLength && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		text, err = readFile(name)
	}
	if err != nil {
		return nil, err
	}
	var secrets []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			secrets = append(secrets, line)
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("secrets: the file %s is empty; remove it, and a new one is made (what the old one signed is then void)", name)
	}
	keys, err := New(secrets...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

func readFile(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("secrets: %s is no regular file", name)
	case info.Size() > maxFile:
		return "", fmt.Errorf("secrets: %s has %d bytes, which is no list of secrets", name, info.Size())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("secrets: others may read %s (mode %04o); run: chmod 600 %s", name, info.Mode().Perm(), name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	return string(text), nil
}

// create writes a new secret to a file beside the name and then links it there: the name
// either does not exist or has all of its content, and the first process wins.
func create(name string) error {
	dir := filepath.Dir(name)
	if err := makeFolder(dir); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".secret-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	text := "# made by rws; whoever knows this can forge logins. To change it, put a new line above the old one.\n" + generate() + "\n"
	if err := fill(temp, text); err != nil {
		return err
	}
	err = os.Link(temp.Name(), name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return createUnlinked(name, text)
}

// createUnlinked is for file systems without hard links.
func createUnlinked(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return fill(f, text)
}

func fill(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o600)
}

// generate returns 256 random bits.
func generate() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
