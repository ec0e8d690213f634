package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync/atomic"

	"rws/server/reload"
)

// IPFilterOptions say who may come in. Lists have addresses, prefixes like "10.0.0.0/8" and
// "2001:db8::/32", and the words "loopback", "private", "all", "unix" for clients without an address,
// and "unknown" for those that a trusted proxy does not name. Neither of the last two is in "all", and
// they may come in only where Allow has their word.
type IPFilterOptions struct {
	// Allow are those that may; nil, without files, is everybody with an address.
	Allow []string
	// Deny are those that may not, also if they are allowed.
	Deny []string
	// AllowFiles and DenyFiles have more, one a line; "#" begins a comment. They are read again
	// when they change. A change that cannot be read is logged, and the lists stay as they were.
	AllowFiles, DenyFiles []string
	Logger                *slog.Logger // default slog.Default()
}

// IPFilter answers 403 to those who may not come in, by the address that [ClientIP] has found, else
// that of the connection. Made by [NewIPFilter].
type IPFilter struct {
	o     IPFilterOptions
	lists atomic.Pointer[ipLists]
	stop  context.CancelFunc
	watch *reload.Watcher // nil without files
}

type ipLists struct {
	allow *addresses // nil for everybody with an address
	deny  *addresses
}

// NewIPFilter reads the lists. Close it to end the watch over its files.
func NewIPFilter(o IPFilterOptions) (*IPFilter, error) {
	if len(o.Allow)+len(o.Deny)+len(o.AllowFiles)+len(o.DenyFiles) == 0 && o.Allow == nil {
		return nil, errors.New("ip filter: neither is somebody allowed nor denied")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	f := &IPFilter{o: o}
	files := slices.Concat(o.AllowFiles, o.DenyFiles)
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	if len(files) > 0 { // before reading, so that no change falls between
		f.watch = reload.Watch(ctx, func() []string { return files }, f.changed, reload.Options{Logger: o.Logger})
	}
	lists, err := f.read()
	if err != nil {
		_ = f.Close() // never fails
		return nil, fmt.Errorf("ip filter: %w", err)
	}
	f.lists.CompareAndSwap(nil, lists) // unless a change came first
	return f, nil
}

// Close ends the watch over the files. The filter goes on with what it knows.
func (f *IPFilter) Close() error {
	f.stop()
	if f.watch != nil {
		<-f.watch.Done()
	}
	return nil
}

func (f *IPFilter) changed(files []string) {
	lists, err := f.read()
	if err != nil {
		f.o.Logger.Error("the lists of an ip filter cannot be read, those before stay", "err", err)
		return
	}
	f.lists.Store(lists)
	f.o.Logger.Info("the lists of an ip filter were read again", "files", files)
}

func (f *IPFilter) read() (*ipLists, error) {
	deny, err := readLists("deny", f.o.Deny, f.o.DenyFiles)
	if err != nil {
		return nil, err
	}
	lists := &ipLists{deny: deny}
	if f.o.Allow != nil || len(f.o.AllowFiles) > 0 {
		lists.allow, err = readLists("allow", f.o.Allow, f.o.AllowFiles)
	}
	return lists, err
}

func readLists(name string, list, files []string) (*addresses, error) {
	a, err := parseAddresses(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, file := range files {
		if err := a.readFile(file); err != nil {
			return nil, fmt.Errorf("%s files: %w", name, err)
		}
	}
	return a, nil
}

func (a *addresses) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.readAddresses(f, name)
}

// Wrap puts a handler behind the filter.
func (f *IPFilter) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ip, lists := clientIPOf(r), f.lists.Load()
		pass := isAddress(ip)
		if lists.allow != nil {
			pass = lists.allow.has(ip)
		}
		if !pass || lists.deny.has(ip) {
			refuse(w, r, http.StatusForbidden, "This address may not come in.", nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}
