package storage

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rws/server/suggest"
)

// The schemes of URLs.
const (
	SchemeDir    = "dir"
	SchemeMemory = "memory"
	SchemeS3     = "s3"
)

var schemes = []string{SchemeDir, SchemeMemory, SchemeS3}

// A Location is a parsed URL of a store:
//
//	dir:./uploads   dir:/var/lib/app/uploads
//	memory:   memory:?size=16mb
//	s3://bucket/prefix?region=eu-north-1&endpoint=https://minio.example:9000&path_style=true
//	s3://KEY:SECRET@bucket
type Location struct {
	Scheme string
	Folder string // of SchemeDir, as it was written
	Size   int64  // of SchemeMemory, in bytes; 0 means DefaultMemory

	// Of SchemeS3.
	Bucket, Prefix string // the prefix without "/" at its ends
	Region         string // default that of the environment, or "us-east-1"
	Endpoint       string // "https://host:port"; "" means that of Amazon for the region
	PathStyle      bool   // the bucket is in the path and not in the host; default where there is an endpoint
	Key, Secret    string // "" means those of the environment, see Credentials
}

// String is the URL without secrets.
func (l Location) String() string {
	switch l.Scheme {
	case SchemeDir:
		return "dir:" + l.Folder
	case SchemeMemory:
		return "memory:"
	}
	shown := "s3://" + l.Bucket
	if l.Prefix != "" {
		shown += "/" + l.Prefix
	}
	if l.Endpoint != "" {
		shown += " at " + l.Endpoint
	}
	return shown
}

// Options of Open.
type Options struct {
	// Base is the folder that relative ones of "dir:" are in; default the working directory.
	Base string
	// Getenv returns variables of the environment, "" for none; default os.Getenv.
	Getenv func(string) string
}

// Open returns the store of a location. It reaches for nothing yet: what is wrong with a folder or a bucket
// is an error of the first use.
func Open(l Location, o Options) (Store, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	switch l.Scheme {
	case SchemeDir:
		folder := filepath.FromSlash(l.Folder)
		if o.Base != "" && !filepath.IsAbs(folder) {
			folder = filepath.Join(o.Base, folder)
		}
		return NewDir(folder, l.String()), nil
	case SchemeMemory:
		return NewMemory(l.Size), nil
	}
	return newS3(l, o.Getenv)
}

// escapes says how to write what has a meaning in a URL.
const escapes = `in key and secret, write "/", "+", "@", ":", "?", "#" and "%" as %2F, %2B, %40, %3A, %3F, %23 and %25, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in their place`

// Parse reads a URL, see [Location]. Its errors show no secret.
func Parse(raw string) (Location, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), ":")
	if !ok {
		return Location{}, errors.New(`storage: the URL has no scheme; it looks like "dir:./uploads", "memory:" or "s3://bucket/prefix?region=eu-north-1"`)
	}
	var l Location
	var err error
	switch scheme {
	case SchemeDir:
		l, err = parseDir(rest)
	case SchemeMemory:
		l, err = parseMemory(rest)
	case SchemeS3:
		l, err = parseS3(rest)
	default:
		if strings.ContainsAny(scheme, `/\@`) || len(scheme) > 20 {
			scheme = "…" // it may be a path, or a secret
		}
		err = fmt.Errorf("the scheme %q is none of %s%s", scheme, strings.Join(schemes, ", "), suggest.DidYouMean(scheme, schemes))
	}
	if err != nil {
		return Location{}, fmt.Errorf("storage: %w", err)
	}
	return l, nil
}

func parseDir(rest string) (Location, error) {
	folder := strings.TrimPrefix(rest, "//")
	switch {
	case folder == "":
		return Location{}, errors.New(`dir: has no folder; it looks like "dir:./uploads"`)
	case strings.ContainsAny(folder, "?#\x00"):
		return Location{}, fmt.Errorf("dir: the folder %q: no options, and no \"?\" and \"#\", are in such a URL", folder)
	}
	return Location{Scheme: SchemeDir, Folder: folder}, nil
}

func parseMemory(rest string) (Location, error) {
	l := Location{Scheme: SchemeMemory}
	before, query, _ := strings.Cut(rest, "?")
	if strings.Trim(before, "/") != "" {
		return l, fmt.Errorf(`memory: %q behind it means nothing; write "memory:" or "memory:?size=16mb"`, before)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return l, errors.New(`memory: the options cannot be read; write "memory:?size=16mb"`)
	}
	err = setOptions(values, map[string]func(string) error{"size": func(text string) (err error) {
		l.Size, err = parseSize(text)
		return err
	}})
	if err != nil {
		return l, fmt.Errorf("memory: %w", err)
	}
	return l, nil
}

func parseS3(rest string) (Location, error) {
	l := Location{Scheme: SchemeS3}
	after, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return l, errors.New(`s3: it looks like "s3://bucket/prefix?region=eu-north-1"`)
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	// A secret with "/" in it, as it is, would be taken for the bucket, and shown.
	if strings.ContainsAny(after[end:], "@#") {
		return l, errors.New(`s3: the URL cannot be read, as there is "@" or "#" behind its bucket; ` + escapes)
	}
	u, err := url.Parse("s3://" + after)
	if err != nil {
		return l, errors.New("s3: the URL is malformed; " + escapes)
	}
	l.Bucket = u.Host
	if err := checkBucket(l.Bucket); err != nil {
		return l, err
	}
	if err := l.place(u); err != nil {
		return l, fmt.Errorf("s3://%s: %w", l.Bucket, err)
	}
	return l, nil
}

// checkBucket wants a name as Amazon allows it.
func checkBucket(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789.-"
	if len(name) < 3 || len(name) > 63 || strings.Trim(name, letters) != "" || strings.Trim(name, ".-") != name || strings.Contains(name, "..") {
		return errors.New("s3: the name of the bucket is missing or wrong: 3 to 63 small letters, digits, \"-\" and \".\" expected, as in s3://my-bucket; " + escapes)
	}
	return nil
}

// place reads all but the bucket.
func (l *Location) place(u *url.URL) error {
	l.Prefix = strings.Trim(u.Path, "/")
	if l.Prefix != "" {
		if why := faultOf(l.Prefix, MaxKey/2); why != "" {
			return fmt.Errorf("the prefix %q: %s", l.Prefix, why)
		}
	}
	if u.User != nil {
		l.Key = u.User.Username()
		l.Secret, _ = u.User.Password()
		if l.Key == "" || l.Secret == "" {
			return errors.New("credentials are written s3://KEY:SECRET@bucket; " + escapes)
		}
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New(`the options cannot be read; write ?name=value&name=value, and "%" as %25`)
	}
	l.PathStyle = values.Get("endpoint") != ""
	return setOptions(values, map[string]func(string) error{
		"region":     l.setRegion,
		"endpoint":   l.setEndpoint,
		"path_style": l.setPathStyle,
	})
}

func (l *Location) setRegion(text string) error {
	if text == "" || len(text) > 64 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fmt.Errorf(`%q is no region such as "eu-north-1"`, text)
	}
	l.Region = text
	return nil
}

func (l *Location) setEndpoint(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New(`"https://host" or "http://host:port" expected, without a path and without credentials`)
	}
	l.Endpoint = u.Scheme + "://" + u.Host
	return nil
}

func (l *Location) setPathStyle(text string) (err error) {
	if text != "true" && text != "false" {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	l.PathStyle = text == "true"
	return nil
}

// setOptions hands the values of a query to those who take them.
func setOptions(values url.Values, set map[string]func(string) error) error {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for name, list := range values {
		f := set[name]
		switch {
		case f == nil:
			return fmt.Errorf("the option %q is none of %s%s", name, strings.Join(names, ", "), suggest.DidYouMean(name, names))
		case len(list) > 1:
			return fmt.Errorf("the option %q is given %d times", name, len(list))
		}
		if err := f(list[0]); err != nil {
			return fmt.Errorf("the option %q: %w", name, err)
		}
	}
	return nil
}

// parseSize reads "64mb"; one kb has 1024 bytes.
func parseSize(text string) (int64, error) {
	for unit, bytes := range map[string]int64{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30} {
		if digits, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err == nil && n > 0 && n <= 1<<40/bytes {
				return n * bytes, nil
			}
		}
	}
	return 0, fmt.Errorf(`%q is no size such as "64mb"`, text)
}
