package storage

import (
	"cmp"
	"fmt"
	"mime"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of keys and of what is kept with a file, in bytes.
const (
	MaxKey      = 1024
	MaxSegment  = 255 // of a key, between "/": what file systems take
	MaxMetadata = 2048
)

// reserved is a folder of a [Dir], which keeps there what is no file of its user.
const reserved = ".rws-storage"

// CheckKey reports what is wrong with a key. One has 1 to [MaxKey] bytes of UTF-8 without control
// characters and backslashes; between "/" are names of 1 to [MaxSegment] bytes, and none of them is "."
// or "..".
func CheckKey(key string) error {
	if why := faultOf(key, MaxKey); why != "" {
		return &Error{Code: CodeInvalidKey, Op: "the key", Key: key, Message: why}
	}
	return nil
}

// faultOf says what is wrong with a key, "" for nothing.
func faultOf(key string, most int) string {
	switch {
	case key == "":
		return `it is empty; a key is a name such as "avatars/7.png"`
	case len(key) > most:
		return fmt.Sprintf("it has %d bytes, and %d are the most; use an id, or a hash", len(key), most)
	case !utf8.ValidString(key):
		return "it is not UTF-8"
	case strings.HasPrefix(key, "/"):
		return `it begins with "/": keys are not paths of a system, leave that out`
	}
	if why := faultOfText(key); why != "" {
		return why
	}
	for i, segment := range strings.Split(key, "/") {
		if why := faultOfSegment(segment, i); why != "" {
			return why
		}
	}
	return ""
}

func faultOfText(text string) string {
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Sprintf("the control character %U is in it", r)
		case r == '\\':
			return `"\" is in it: folders are separated by "/"`
		}
	}
	return ""
}

func faultOfSegment(segment string, n int) string {
	switch {
	case segment == "":
		return `a name in it is empty: no "//", and no "/" at its end`
	case segment == "." || segment == "..":
		return fmt.Sprintf("%q is in it, which leads elsewhere", segment)
	case len(segment) > MaxSegment:
		return fmt.Sprintf("a name in it has %d bytes, and %d are the most", len(segment), MaxSegment)
	case n == 0 && segment == reserved:
		return fmt.Sprintf("%q is where stores keep what is their own", reserved)
	}
	return ""
}

// CheckPrefix reports what is wrong with what keys are to begin with: "" for all, "avatars/", "avatars/7".
func CheckPrefix(prefix string) error {
	folder, begin := path.Split(prefix)
	why := ""
	switch {
	case strings.HasPrefix(prefix, "/"):
		why = `it begins with "/": keys are not paths of a system, leave that out; "" lists all`
	case folder != "":
		why = faultOf(strings.TrimSuffix(folder, "/"), MaxKey)
	}
	switch {
	case why != "":
	case len(prefix) > MaxKey, !utf8.ValidString(begin):
		why = fmt.Sprintf("at most %d bytes of UTF-8 expected", MaxKey)
	default:
		why = faultOfText(begin)
	}
	if why == "" {
		return nil
	}
	return &Error{Code: CodeInvalidKey, Op: "the prefix", Key: prefix, Message: why}
}

// CheckMetadata reports what is wrong with metadata: names are small letters, digits and "-", values
// printable ASCII, and all together have at most [MaxMetadata] bytes. That is what S3 takes.
func CheckMetadata(metadata map[string]string) error {
	size := 0
	for name, value := range metadata {
		size += len(name) + len(value)
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return invalid("the name %q in the metadata: small letters, digits and \"-\" expected", name)
		}
		if !isPlain(value) || strings.TrimSpace(value) != value {
			return invalid("the value of %q in the metadata: printable ASCII without blanks around it expected; write other text as JSON, or percent-encoded", name)
		}
	}
	if size > MaxMetadata {
		return invalid("the metadata has %d bytes, and %d are the most", size, MaxMetadata)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

func isPlain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// check is what every Put looks at first. It fills in the content type.
func (o *PutOptions) check(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if o.ContentType == "" {
		o.ContentType = typeOf(key)
	}
	t, _, err := mime.ParseMediaType(o.ContentType)
	if kind, sort, ok := strings.Cut(t, "/"); err != nil || !ok || kind == "" || sort == "" || strings.Contains(t, "*") || !isPlain(o.ContentType) {
		return invalid("the content type %q: one such as \"image/png\" expected", o.ContentType)
	}
	return CheckMetadata(o.Metadata)
}

const unknownType = "application/octet-stream"

// typeOf goes by the extension of a key. The list is our own, so that it is the same on all machines.
func typeOf(key string) string {
	return cmp.Or(TypeByExtension(key), unknownType)
}

// TypeByExtension is the content type of a key's extension, as "image/png"; "" for an unknown one.
func TypeByExtension(key string) string { return byExtension[strings.ToLower(path.Ext(key))] }

var byExtension = map[string]string{
	".avif": "image/avif", ".bin": unknownType, ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".db": "application/vnd.sqlite3",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".flac": "audio/flac",
	".gif": "image/gif", ".gz": "application/gzip", ".heic": "image/heic", ".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8",
	".ico": "image/vnd.microsoft.icon", ".ics": "text/calendar; charset=utf-8", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".m4a": "audio/mp4", ".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".mov": "video/quicktime",
	".mp3": "audio/mpeg", ".mp4": "video/mp4", ".ogg": "audio/ogg", ".pdf": "application/pdf", ".png": "image/png",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".svg": "image/svg+xml", ".tar": "application/x-tar",
	".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".wav": "audio/wav", ".webm": "video/webm", ".webp": "image/webp",
	".woff2": "font/woff2", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xml": "application/xml", ".zip": "application/zip",
	".zst": "application/zstd",
}

// quoted shows a key, shortened.
func quoted(key string) string {
	const most = 100
	if len(key) > most {
		key = strings.ToValidUTF8(key[:most], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}

// sameMetadata copies metadata, nil for none.
func sameMetadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for name, value := range m {
		out[name] = value
	}
	return out
}

// page cuts off at most PageSize of a list.
func page(list []Info) (now, later []Info) {
	n := min(len(list), PageSize)
	return slices.Clip(list[:n]), list[n:]
}
