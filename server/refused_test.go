package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/http1"
)

func TestRefusedRequestsAreToldWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		r := &refusals{log: slog.New(slog.NewTextHandler(&out, nil))}
		for range 1000 {
			r.tell("192.0.2.1:7", &http1.RequestError{Status: 400, Reason: "no \"host\""})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, refusedLimit, strings.Count(out.String(), `client=192.0.2.1:7 status=400 reason="no \"host\""`))
		assert.Contains(t, out.String(), "requests=990")
		r.tell("192.0.2.2:7", &http1.RequestError{Status: 431})
		assert.Contains(t, out.String(), "status=431", "a second later there is room again")
	})
}

func TestARequestNamesOneHost(t *testing.T) {
	for _, c := range []struct {
		major int
		host  []string
		want  bool
	}{
		{2, nil, false}, {2, []string{"A.example"}, false}, {2, []string{"b.example"}, true}, {2, []string{"a.example", "b.example"}, true},
	} {
		r := httptest.NewRequest("GET", "http://a.example/", nil)
		r.ProtoMajor = c.major
		if c.host != nil {
			r.Header["Host"] = c.host
		}
		assert.Equal(t, c.want, otherHost(r), c)
		if c.want {
			h, err := Compile(&App{Routes: []Route{{Method: "GET", Pattern: "/", Handler: http.NotFoundHandler()}}})
			require.NoError(t, err)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, 400, w.Code)
		}
	}
}
