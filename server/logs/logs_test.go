package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"rws/server/logs"
)

// pretty returns what the pretty form makes of one record, without its time.
func pretty(t *testing.T, o logs.Options, log func(*slog.Logger)) string {
	t.Helper()
	var out bytes.Buffer
	o.Format = logs.Pretty
	log(logs.New(&out, o))
	_, line, ok := strings.Cut(out.String(), " ")
	if !ok {
		t.Fatalf("no record written: %q", out.String())
	}
	return line
}

func TestPrettyLine(t *testing.T) {
	excerpt := errors.New("app.lua:61: attempt to index nil\n\n> 61 | \treturn user.name\r\n            ^^^^\n")
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"level is aligned", func(l *slog.Logger) { l.Info("purged", "rows", 12) }, "INFO  purged  rows=12\n"},
		{"a long level keeps its blank", func(l *slog.Logger) { l.Error("down") }, "ERROR down\n"},
		{"groups become dotted keys", func(l *slog.Logger) {
			l.With("a", 1).WithGroup("req").With("id", "x").Info("m", slog.Group("user", "name", "ann"), "n", true)
		}, "INFO  m  a=1 req.id=x req.user.name=ann req.n=true\n"},
		{"text with blanks is quoted", func(l *slog.Logger) { l.Info("m", "q", `say "hi"`, "e", "") }, `INFO  m  q="say \"hi\"" e=""` + "\n"},
		{"durations and times read well", func(l *slog.Logger) {
			l.Info("m", "d", 1500*time.Millisecond, "t", time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC))
		}, "INFO  m  d=1.5s t=2026-01-02T03:04:05.006Z\n"},
		{"an error of several lines stands below, indented", func(l *slog.Logger) { l.Error("failed", "err", excerpt, "id", "7f") },
			"ERROR failed  id=7f\n  app.lua:61: attempt to index nil\n  \n  > 61 | \treturn user.name\n              ^^^^\n"},
		{"other text of several lines keeps its key", func(l *slog.Logger) { l.Info("m", "sql", "select 1\nfrom t") },
			"INFO  m\n  sql:\n    select 1\n    from t\n"},
		{"maps print as JSON", func(l *slog.Logger) { l.Info("m", "v", map[string]any{"b": 1, "a": "<x>"}) }, `INFO  m  v={"a":"<x>","b":1}` + "\n"},
		{"addresses print as text", func(l *slog.Logger) { l.Info("m", "ip", netip.MustParseAddr("::1")) }, "INFO  m  ip=::1\n"},
		{"an empty group leaves no trace", func(l *slog.Logger) { l.WithGroup("g").Info("m", slog.Group("h")) }, "INFO  m\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := pretty(t, logs.Options{}, tt.log); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestPrettyStartsWithLocalTime(t *testing.T) {
	var out bytes.Buffer
	h := logs.New(&out, logs.Options{Format: logs.Pretty}).Handler()
	at := time.Date(2026, 1, 2, 7, 31, 2, 0, time.Local)
	if err := h.Handle(t.Context(), slog.NewRecord(at, slog.LevelInfo, "up", 0)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "07:31:02 INFO  up\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestColorIsOnlyOnWhenAsked(t *testing.T) {
	log := func(l *slog.Logger) { l.Warn("m", "k", 1) }
	if got := pretty(t, logs.Options{}, log); strings.Contains(got, "\x1b") {
		t.Errorf("colour in a file: %q", got)
	}
	if got, want := pretty(t, logs.Options{Color: logs.ColorAlways}, log), "\x1b[33mWARN\x1b[0m  m  \x1b[2mk=\x1b[0m1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// jsonRecord returns the one JSON record that log writes.
func jsonRecord(t *testing.T, o logs.Options, log func(*slog.Logger)) (line string, members map[string]any) {
	t.Helper()
	var out bytes.Buffer
	log(logs.New(&out, o))
	line = out.String()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("want one line, got %q", line)
	}
	if err := json.Unmarshal([]byte(line), &members); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return line, members
}

func TestJSONRecord(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600))
	r := slog.NewRecord(at, slog.LevelWarn, "m", 0)
	r.Add("n", 1, "f", 0.5, "d", time.Second, "err", errors.New("boom"), "u", &url.URL{Scheme: "http", Host: "h", User: url.UserPassword("a", "b")},
		"nil", nil, "nan", nan(), "b", []byte("bytes"), "l", []int{1, 2}, slog.Group("g", "x", "y"))
	if err := logs.New(&out, logs.Options{}).Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-01-02T02:04:05.678Z","level":"WARN","msg":"m","n":1,"f":0.5,"d":"1s","err":"boom",` +
		`"u":"http://a:xxxxx@h","nil":null,"nan":"NaN","b":"bytes","l":[1,2],"g":{"x":"y"}}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

func TestJSONHandlerKeepsTheRulesOfSlog(t *testing.T) {
	var out bytes.Buffer
	newHandler := func(*testing.T) slog.Handler {
		out.Reset()
		return logs.New(&out, logs.Options{}).Handler()
	}
	slogtest.Run(t, newHandler, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
		return m
	})
}

func TestSecretsAreRedacted(t *testing.T) {
	type login struct {
		User     string
		Password string `json:"password"`
	}
	log := func(l *slog.Logger) {
		l = l.With("Authorization", "hunter2").WithGroup("req")
		l.Info("m", "API-Key", "hunter2", "dbPassword", "hunter2", "access_token", 48151623,
			slog.Group("headers", "Set-Cookie", "hunter2", "Host", "kept"),
			slog.Group("session", "uid", "hunter2"),
			"body", login{"kept", "hunter2"},
			"map", map[string]any{"list": []any{map[string]string{"X-Secret": "hunter2"}}},
			"pin", "hunter2", "tokens", 7, "sessions", 3)
		l.WithGroup("cookie").Info("m", "a", "hunter2")
	}
	for _, format := range []logs.Format{logs.Pretty, logs.JSON} {
		t.Run(format.String(), func(t *testing.T) {
			var out bytes.Buffer
			log(logs.New(&out, logs.Options{Format: format, Redact: []string{"pin"}}))
			got := out.String()
			if strings.Contains(got, "hunter2") || strings.Contains(got, "48151623") {
				t.Errorf("a secret was logged: %s", got)
			}
			if strings.Count(got, "kept") != 2 || !strings.Contains(got, "7") || !strings.Contains(got, "3") {
				t.Errorf("a harmless value is missing: %s", got)
			}
			if strings.Count(got, "[redacted]") < 9 {
				t.Errorf("redactions are not marked: %s", got)
			}
		})
	}
}

func TestRedacts(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "PASSWD": true, "set-cookie": true, "csrfToken": true, "client.secret": true, "session_id": true,
		"token_type": false, "subtoken": false, "": false, "author": false, "tokens": true, "cookies": true,
		"pass": true, "user_pass": true, "userPass": true, "pwd": true, "DB_PWD": true, "passphrase": true, "ssh-passphrase": true,
		"jwt": true, "accessJWT": true, "secret_key": true, "awsSecretKey": true, "credentials": true, "dbCredentials": true,
		"bearer": true, "apiKey": true, "privateKeys": true, "auth": true, "basic_auth": true, "XAuth": true, "DBPassword": true, "key2Token": true, "refreshTokens": true,
		"pass_count": false, "compass": false, "bypass": false, "passed": false, "passenger": false, "pwd_age": false,
		"auth_method": false, "authority": false, "oauth": false, "forebearer": false, "jwt_alg": false, "secretary": false,
		"credentials_count": false, "tokenizer": false, "sessions": false, "key": false, "keys": false, "monkey": false,
	} {
		if got := logs.Redacts(name); got != want {
			t.Errorf("Redacts(%q) = %v", name, got)
		}
	}
}

func TestPasswordsOfURLsAreRedacted(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://me:hunter2@h:5432/db":                   "postgres://me:xxxxx@h:5432/db",
		"dial redis://:hunter2@h failed; https://a:b@c/d?e": "dial redis://:xxxxx@h failed; https://a:xxxxx@c/d?e",
		"s3://AKIDX:SEC/hunter2@my-bucket":                  "s3://AKIDX:xxxxx@my-bucket",
		"s3://AKIDX:/hunter2@my-bucket?region=a":            "s3://AKIDX:xxxxx@my-bucket?region=a",
		"s3://AKIDX:a@b/hunter2@my-bucket":                  "s3://AKIDX:xxxxx@my-bucket",
		"http://localhost:5173/@vite/client":                "http://localhost:5173/@vite/client",
		"amqp://me:hunt@er2@h":                              "amqp://me:xxxxx@h",
		`{"url":"mysql://me:hunter2@h"}`:                    `{"url":"mysql://me:xxxxx@h"}`,
		"https://example.com:8080/users/@me":                "https://example.com:8080/users/@me",
		"https://example.com/a:b@c":                         "https://example.com/a:b@c",
		"https://example.com:80 and me@example.com":         "https://example.com:80 and me@example.com",
		"ftp://me@h":  "ftp://me@h",
		"ssh://me:@h": "ssh://me:@h",
		"://":         "://",
		"a: b@c":      "a: b@c",
	} {
		_, members := jsonRecord(t, logs.Options{}, func(l *slog.Logger) {
			l.Info(text, "s", text, "err", fmt.Errorf("opening: %s", text), "list", []string{text}, "map", map[string]any{"a": []any{text}})
		})
		if members["msg"] != want || members["s"] != want || members["err"] != "opening: "+want {
			t.Errorf("%s is logged as %v", text, members)
		}
		if got := fmt.Sprint(members["list"], members["map"]); got != fmt.Sprint([]any{want}, map[string]any{"a": []any{want}}) {
			t.Errorf("%s inside is logged as %s", text, got)
		}
		line := pretty(t, logs.Options{}, func(l *slog.Logger) { l.Info(text, "s", text, "list", []string{text}) })
		if want != text && strings.Contains(line, "hunter2") {
			t.Errorf("%s is logged as %s", text, line)
		}
	}
}

func TestNothingForgesARecord(t *testing.T) {
	evil := "x\n07:31:02 ERROR fake\r\x1b[2J\u009b1m\u202e\u2028\xff\x00\x7f"
	log := func(l *slog.Logger) {
		l.WithGroup(evil).Info(evil, evil, evil, "map", map[string]string{evil: evil}, "err", errors.New(evil))
	}
	_, members := jsonRecord(t, logs.Options{}, log)
	if got, want := members["msg"], strings.ToValidUTF8(evil, "\ufffd"); got != want {
		t.Errorf("JSON does not round-trip: %q, want %q", got, want)
	}
	line := pretty(t, logs.Options{}, log)
	for l := range strings.Lines(line[strings.Index(line, "\n")+1:]) {
		if !strings.HasPrefix(l, "  ") {
			t.Errorf("a value starts a line: %q", l)
		}
	}
	if i := strings.IndexFunc(strings.ReplaceAll(line, "\n", ""), isControl); i >= 0 {
		t.Errorf("a control character is left in %q", line)
	}
}

func TestAMethodThatPanicsIsNamed(t *testing.T) {
	_, members := jsonRecord(t, logs.Options{}, func(l *slog.Logger) { l.Info("m", "e", panicky{}, "f", func() {}) })
	if got := members["e"]; got != "!panic: oops" {
		t.Errorf("got %v", got)
	}
	if got, _ := members["f"].(string); !strings.HasPrefix(got, "!cannot be logged") {
		t.Errorf("got %v", got)
	}
}

func TestLevelMayChangeWhileInUse(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	l := logs.New(&out, logs.Options{Level: &level})
	l.Debug("hidden")
	level.Set(slog.LevelDebug)
	l.Debug("shown")
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("got %s", got)
	}
}

func TestSourceNamesThePlaceWithoutTheMachine(t *testing.T) {
	_, members := jsonRecord(t, logs.Options{AddSource: true}, func(l *slog.Logger) { l.Info("m") })
	if got, _ := members["source"].(string); !strings.HasPrefix(got, "logs/logs_test.go:") {
		t.Errorf("got %q", got)
	}
	if got := pretty(t, logs.Options{AddSource: true}, func(l *slog.Logger) { l.Info("m") }); !strings.Contains(got, "  logs/logs_test.go:") {
		t.Errorf("got %q", got)
	}
}

func TestOff(t *testing.T) {
	var out bytes.Buffer
	logs.New(&out, logs.Options{Format: logs.Off}).Error("m")
	access := logs.NewAccess(&out, logs.Options{Format: logs.Off})
	access.Log(logs.Access{Status: 500})
	if err := access.Close(); err != nil || out.Len() > 0 {
		t.Errorf("wrote %q, %v", out.String(), err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range []logs.Format{logs.Auto, logs.Pretty, logs.JSON, logs.Off} {
		var back logs.Format
		text, _ := f.MarshalText()
		if err := back.UnmarshalText(bytes.ToUpper(text)); err != nil || back != f {
			t.Errorf("%s came back as %s, %v", f, back, err)
		}
	}
	if _, err := logs.ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), `"xml": use auto, pretty, json or off`) {
		t.Errorf("got %v", err)
	}
}

func TestOutputRedirects(t *testing.T) {
	var first, second bytes.Buffer
	out := logs.NewOutput(&first)
	l := logs.New(out, logs.Options{})
	l.Info("one")
	previous := out.Redirect(&second)
	l.Info("two")
	out.Redirect(nil)
	l.Info("three")
	out.Redirect(previous)
	l.Info("four")
	if got := first.String(); !strings.Contains(got, "one") || strings.Contains(got, "two") || !strings.Contains(got, "four") {
		t.Errorf("first destination: %s", got)
	}
	if got := second.String(); !strings.Contains(got, "two") || strings.Contains(got, "three") {
		t.Errorf("second destination: %s", got)
	}
}

type panicky struct{}

func (panicky) Error() string { panic("oops") }

func nan() float64 { var zero float64; return zero / zero }

func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2028
}

func FuzzEscaping(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\nb", "\x1b[31m", "\u009b", "\u2028", "\xff\xfe", `"\`, "\t", "é\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, members := jsonRecord(t, logs.Options{}, func(l *slog.Logger) { l.Info(s, "v", s) })
		if want := string([]rune(s)); members["msg"] != want || members["v"] != want {
			t.Errorf("%q came back as %q and %q", want, members["msg"], members["v"])
		}
		line := pretty(t, logs.Options{}, func(l *slog.Logger) { l.Info(s, "v", s, "m", map[string]string{"k": s}) })
		head, blocks, _ := strings.Cut(line, "\n")
		if i := strings.IndexFunc(head, isControl); i >= 0 {
			t.Errorf("a control character is left in %q", head)
		}
		for l := range strings.Lines(blocks) {
			if !strings.HasPrefix(l, "  ") || strings.IndexFunc(strings.ReplaceAll(strings.TrimSuffix(l, "\n"), "\t", ""), isControl) >= 0 {
				t.Errorf("bad line %q", l)
			}
		}
	})
}

func BenchmarkJSONRecord(b *testing.B) {
	l := logs.New(discard{}, logs.Options{})
	b.ReportAllocs()
	for b.Loop() {
		l.Info("purged", "rows", 12, "table", "notes")
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
