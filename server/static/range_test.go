package static_test

import (
	"strings"
	"testing"

	"rws/server/static"
)

func FuzzRange(f *testing.F) {
	for _, text := range []string{"bytes=0-1", "bytes=5-2", "bytes=-3", "BYTES=1-", "lines=1", "bytes=0-0,9-9", "bytes=,", "bytes=-0", "bytes=99999999999999999999-"} {
		f.Add(text)
	}
	h, err := static.New(site(f, map[string]string{"a.txt": "0123456789"}), static.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\n\x00") {
			return
		}
		w := ask(h, "GET /a.txt", "Range: "+text)
		switch {
		case w.Code == 200 && w.Body.String() == "0123456789":
		case w.Code == 206 && w.Body.Len() > 0 && strings.HasPrefix(strings.ToLower(text), "bytes="):
		case w.Code == 416 && w.Header().Get("Content-Range") == "bytes */10":
		default:
			t.Errorf("%q: %d %q", text, w.Code, w.Body)
		}
	})
}
