package upstream_test

import (
	"strconv"
	"testing"

	"rws/server/proxy/balance"
	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

func BenchmarkPickDone(b *testing.B) {
	for _, n := range []int{3, 100} {
		var all []upstream.Target
		for i := range n {
			all = append(all, upstream.Target{URL: "http://10.0.0." + strconv.Itoa(i)})
		}
		for name, o := range map[string]upstream.Options{
			"plain":   {},
			"p2c":     {Balance: upstream.Balance{Policy: balance.P2C}},
			"least":   {Balance: upstream.Balance{Policy: balance.LeastConn}},
			"cookie":  {Balance: upstream.Balance{Policy: balance.CookieHash, Cookie: "uid"}},
			"sticky":  {Sticky: upstream.Sticky{Cookie: "srv"}},
			"checked": {Passive: &health.OutlierOptions{}, Breaker: &breaker.Options{}, Health: &health.Check{}},
		} {
			b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
				o.Targets = all
				p := pool(b, o)
				r := get("Cookie", "uid=7")
				if name == "sticky" {
					l := lease(b, p)
					p.SetSticky(r.Header, l, r)
					l.Done(upstream.Outcome{})
					c := r.Header.Get("Set-Cookie")
					r.Header.Set("Cookie", c[:len("srv=")+16])
				}
				good := upstream.Outcome{Kind: upstream.Success, Status: 200}
				b.ReportAllocs()
				for b.Loop() {
					l, err := p.Pick(r, nil)
					if err != nil {
						b.Fatal(err)
					}
					l.Done(good)
				}
			})
		}
	}
}
