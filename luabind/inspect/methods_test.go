package inspect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/luabind/inspect"
)

func TestMethodCallsWithATextAreListed(t *testing.T) {
	chunk := compiled(t, `app:get("/", function(c)
  if c.query.x then return c:render("a.html", { render = 1 }) end
  local name = "computed"
  c:render(name .. ".html") c:render(name) c.render(c, "no") c:renders("no")
  return c.res:render("b.html")
end)`)
	assert.Equal(t, []inspect.MethodCall{{File: "app.lua", Line: 2, Arg: "a.html"}, {File: "app.lua", Line: 5, Arg: "b.html"}}, inspect.MethodCalls(chunk, "render"))
}
