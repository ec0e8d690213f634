package luabind_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a route says of times wins over what its upstream says, in both directions.
func TestTimesOfARouteWin(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/504" {
			<-r.Context().Done() // who waits for it gives up
			return
		}
		time.Sleep(250 * time.Millisecond)
	})
	for name, c := range map[string]struct {
		upstream, route string
		want            int
	}{
		"longer response":  {"{ response = '80ms' }", "{ response = '1m' }", 200},
		"shorter response": {"{ response = '1m' }", "{ response = '80ms' }", 504},
		"no response":      {"{ response = '80ms' }", "{ response = false }", 200},
		"longer whole":     {"'80ms'", "'1m'", 200},
		"shorter whole":    {"'1m'", "'80ms'", 504},
		"no whole":         {"{ whole = '80ms' }", "{ whole = false }", 200},
		"none of its own":  {"{ response = '80ms' }", "{ tunnel = '5s' }", 504},
	} {
		t.Run(name, func(t *testing.T) {
			p := script(t, fmt.Sprintf(`
				local u = app:upstream("u", { to = %q, timeout = %s, retries = 0 })
				app:proxy("/*", u, { timeout = %s })
			`, at, c.upstream, c.route))
			res, err := http.Get(fmt.Sprintf("%s/%d", front(t, p), c.want))
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, c.want, res.StatusCode)
		})
	}
}

func TestTimesThatARouteCannotHave(t *testing.T) {
	for route, want := range map[string]string{
		"{ connect = '1s' }":  "are about connections",
		"{ read = '1m' }":     "are about connections",
		"{ read = false }":    "are about connections",
		"{ idle = '1m' }":     "are about connections",
		"{ max_age = '2h' }":  "are about connections",
		"{ max_age = false }": "are about connections",
		"{ response = '2m' }": "which ends the request before",
	} {
		_, err := loadScript(t, "local u = app:upstream('u', { to = 'http://a', timeout = '1m' }) app:proxy('/*', u, { timeout = "+route+" })", nil)
		assert.ErrorContains(t, err, want, route)
	}
}
