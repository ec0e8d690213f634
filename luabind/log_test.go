package luabind_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rws/luabind"
)

// logTo makes the program log into b, without the time.
func logTo(b *bytes.Buffer, level slog.Level) func(*luabind.Options) {
	logger := slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	return func(o *luabind.Options) { o.Logger = func(*luabind.Config) *slog.Logger { return logger } }
}

func TestLog(t *testing.T) {
	for source, want := range map[string]string{
		`rws.log.info("hello")`:                                                                      `level=INFO msg=hello`,
		`rws.log.debug("d") rws.log.warn("w") rws.log.error("e")`:                                    "level=DEBUG msg=d\nlevel=WARN msg=w\nlevel=ERROR msg=e",
		`rws.log.info("m", { b = 2, a = "x", c = true, d = 1.5 })`:                                   `level=INFO msg=m a=x b=2 c=true d=1.5`,
		`rws.log.info("m", { t = { n = 1 }, l = { 1, 2 } })`:                                         `level=INFO msg=m l="[1,2]" t="{\"n\":1}"`,
		`rws.log.info("m", { at = rws.time.at(0), none = rws.null })`:                                `level=INFO msg=m at=1970-01-01T00:00:00.000Z none=null`,
		`rws.log.info("m", { bad = { f = print } })`:                                                 `level=INFO msg=m bad="!f: a function has no JSON form"`,
		`local _, e = rws.try(error, { code = "x", message = "boom" }) rws.log.warn("m", { e = e })`: `e.message=boom`,
		`rws.log.info("two\nlines")`:                                                                 `level=INFO msg="two\nlines"`,
	} {
		var b bytes.Buffer
		script(t, source, logTo(&b, slog.LevelDebug))
		if got := strings.TrimSpace(b.String()); got != want && !(strings.HasPrefix(want, "e.") && strings.Contains(got, want)) {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
}

func TestLogMisuse(t *testing.T) {
	scripts(t, map[string]string{
		"a table in place of the text": `raises("argument", 'rws.log.info("what happened", { value = … })', rws.log.info, { a = 1 })`,
		"a list of fields":             `raises("argument", "fields have names", rws.log.info, "m", { 1, 2 })`,
		"fields that are no table":     `raises("argument", "argument 2: table expected", rws.log.info, "m", "x")`,
		"a level that is none":         `raises("field", 'did you mean "warn"?', function() rws.log.warning("x") end)`,
	}, logTo(new(bytes.Buffer), slog.LevelInfo))
}

func TestLogBelowTheLevelConvertsNothing(t *testing.T) {
	var b bytes.Buffer
	script(t, `rws.log.debug("m", { x = setmetatable({}, { __index = error }) })`, logTo(&b, slog.LevelInfo))
	if b.Len() > 0 {
		t.Errorf("got %s", b.String())
	}
}

func TestLogInARequestHasItsID(t *testing.T) {
	var b bytes.Buffer
	p := script(t, `app:get("/", function(c) rws.log.info("m", { n = 1 }) rws.log.info("o", { id = 7 }) return c.id end)`, logTo(&b, slog.LevelInfo))
	answer := ask(t.Context(), t, p)
	want := fmt.Sprintf("level=INFO msg=m id=%[1]s n=1\nlevel=INFO msg=o request_id=%[1]s id=7\n", answer.Body)
	if b.String() != want {
		t.Errorf("got %s, expected %s", b.String(), want)
	}
}
