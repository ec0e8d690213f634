package luabind_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNoGuardStandsBehindACache(t *testing.T) {
	for name, source := range map[string]string{
		"route":         "\napp:get('/adm', rws.http_cache { ttl = '1m' }, rws.ip_filter { allow = '127.0.0.2' }, function() end)",
		"app and group": "app:use(rws.http_cache { ttl = '1m' })\nlocal g = app:group('/adm', rws.ip_filter { allow = '127.0.0.2' })\napp:get('/', function() end)\ng:get('/a', function() end)",
		"app":           "app:use(rws.http_cache { ttl = '1m' })\napp:use(rws.auth.basic { users = { a = rws.password.hash('b') } })",
		"spec":          "local g = app:group('/a', rws.http_cache { ttl = '1m' })\ng:get('/', { auth = rws.auth.basic { users = { a = rws.password.hash('b') } } }, function() end)",
		"api key":       "\napp:get('/', rws.http_cache { ttl = '1m' }, rws.auth.api_key { lookup = function() end }, function() end)",
		"require":       "local who = rws.auth.basic { users = { a = rws.password.hash('b') } }\napp:get('/', who, rws.http_cache { ttl = '1m' }, rws.auth.require { roles = 'admin' }, function() end)",
		"csrf":          "\napp:all('/', rws.http_cache { ttl = '1m' }, rws.csrf(), function() end)",
		"maintenance":   "app:use(rws.http_cache { ttl = '1m' })\napp:use(rws.maintenance { file = 'm.html' })",
		"mounted":       "local o = rws.app()\no:get('/x', rws.ip_filter { allow = 'loopback' }, function() end)\napp:use(rws.http_cache { ttl = '1m' })\napp:mount('/o', o)",
		"between":       "local c = rws.http_cache { ttl = '1m' }\napp:get('/', c, rws.compress(), function(c, next) return next() end, rws.csrf(), function() end)",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadScript(t, source, nil)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "app.lua:2")
			assert.Contains(t, err.Error(), "stands behind the cache of app.lua:")
		})
	}
}

func TestGuardsBeforeACacheHold(t *testing.T) {
	h := handler(t, `
		local pages = rws.http_cache { ttl = "1m" }
		app:get("/adm", rws.ip_filter { allow = "192.0.2.9" }, pages, function() return "secret" end)
	`)
	ask := func(from string) int {
		r := httptest.NewRequest("GET", "/adm", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, 200, ask("192.0.2.9:1"))
	assert.Equal(t, 403, ask("192.0.2.8:1"))
	assert.Equal(t, 200, ask("192.0.2.9:1"))
}

func TestAChangeIsNoticedWhicheverRouteAnswersIt(t *testing.T) {
	h := handler(t, `
		local n = 0
		app:get("/notes", rws.http_cache { ttl = "1m" }, function() n = n + 1 return tostring(n) end)
		app:post("/notes", function() return 201 end)
		app:put("/notes", function() return 409 end)
	`)
	ask := func(method string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/notes", nil))
		return w.Body.String()
	}
	assert.Equal(t, "1", ask("GET"))
	ask("PUT")
	assert.Equal(t, "1", ask("GET"), "it has failed")
	ask("POST")
	assert.Equal(t, "2", ask("GET"))
}
