package cookie_test

import (
	"net/http"
	"testing"
	"time"

	"rws/server/cookie"
	"rws/server/secret"
)

func BenchmarkGet(b *testing.B) {
	h := request("_ga=GA1.1.1234567890.1700000000; theme=dark; lang=en-GB; __Host-rws_sid=abcdefghijklmnopqrstuv")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := cookie.Get(h, "__Host-rws_sid"); !ok {
			b.Fatal("absent")
		}
	}
}

func BenchmarkSet(b *testing.B) {
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		h.Del("Set-Cookie")
		if err := cookie.Set(h, "theme", "dark", cookie.Options{MaxAge: time.Hour}, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	c := cookie.NewCodec(secret.Random())
	for _, w := range ways() {
		text := w.write(c)("id", "user 7", time.Hour)
		b.Run(w.name+"/write", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.write(c)("id", "user 7", time.Hour)
			}
		})
		b.Run(w.name+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.read(c)("id", text)
			}
		})
	}
}
