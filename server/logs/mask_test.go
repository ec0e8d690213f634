package logs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSecretsInTextsAreMasked(t *testing.T) {
	for text, want := range map[string]string{
		// a line of a console
		`password="hunter22"`:                                                   `password="[redacted]"`,
		`local password = 'hunter22' return 1`:                                  `local password = '[redacted]' return 1`,
		`user.db_password = [[hunter22]]`:                                       `user.db_password = [[[redacted]]]`,
		`login { name = "ann", ["password"] = "hunter22" }`:                     `login { name = "ann", ["password"] = "[redacted]" }`,
		`if token == "hunter22" then`:                                           `if token == "[redacted]" then`,
		`if token ~= "hunter22" then`:                                           `if token ~= "[redacted]" then`,
		`key="hunter22"`:                                                        `key="[redacted]"`,
		`signing_key = "hunter22"`:                                              `signing_key = "[redacted]"`,
		`get("/", { headers = { authorization="Bearer hunter22" } })`:           `get("/", { headers = { authorization="[redacted]" } })`,
		`rws.password.hash("hunter22")`:                                         `rws.password.hash("[redacted]")`,
		`rws.password.verify(input("a"), 'hunter22')`:                           `rws.password.verify(input("a"), '[redacted]')`,
		`rws.jwt.sign({ sub = "ann" }, { secret = "hunter22", alg = "HS256" })`: `rws.jwt.sign({ sub = "ann" }, { secret = "[redacted]", alg = "HS256" })`,
		`rws.jwt.verify("hunter22.x.y")`:                                        `rws.jwt.verify("[redacted]")`,
		`rws.crypto.hmac("sha256", "hunter22", "text")`:                         `rws.crypto.hmac("[redacted]", "[redacted]", "[redacted]")`,
		`password = "with \" a quote hunter22" x = "y"`:                         `password = "[redacted]" x = "y"`,
		`password = "never closed hunter22`:                                     `password = "[redacted]`,
		// a message of an app
		`login password=zz9 failed`:           `login password=[redacted] failed`,
		`sent Authorization: Bearer zz10`:     `sent Authorization: Bearer [redacted]`,
		`Authorization: zz10`:                 `Authorization: [redacted]`,
		`Cookie: a=zz10; b=zz11`:              `Cookie: [redacted]`,
		`X-Api-Key: zz10, next`:               `X-Api-Key: [redacted], next`,
		`got {"password":"zz9","name":"ann"}`: `got {"password":"[redacted]","name":"ann"}`,
		`got {\"password\": \"zz9\"}`:         `got {\"password\": \"[redacted]\"}`,
		// URLs
		`local u = "https://h/x?api_key=zz9"`:        `local u = "https://h/x?api_key=[redacted]"`,
		`GET https://h/x?api_key=zz9&page=2`:         `GET https://h/x?api_key=[redacted]&page=2`,
		`"/reset?page=2&user[password]=zz9#top"`:     `"/reset?page=2&user[password]=[redacted]"`,
		`/x?api%5Fkey=zz9`:                           `/x?api%5Fkey=[redacted]`,
		`postgres://me:zz9@h/db?password=zz9&ssl=on`: `postgres://me:xxxxx@h/db?password=[redacted]&ssl=on`,
		// what stays
		`count = 10`:                               `count = 10`,
		`password = read("file")`:                  `password = read("file")`,
		`token: expired`:                           `token: expired`,
		`session: the store is down`:               `session: the store is down`,
		`tokens=12 used`:                           `tokens=12 used`,
		`author="ann" compass="north"`:             `author="ann" compass="north"`,
		`primary_key = "id"`:                       `primary_key = "id"`,
		`local t = { name = "ann" } return t.name`: `local t = { name = "ann" } return t.name`,
		`app.lua:12: attempt to index`:             `app.lua:12: attempt to index`,
		`https://h/x?page=2&q=a:b`:                 `https://h/x?page=2&q=a:b`,
		`rws.json.encode({ a = "b" })`:             `rws.json.encode({ a = "b" })`,
		`if a == "b" then c = ":" end`:             `if a == "b" then c = ":" end`,
		`password:`:                                `password:`,
		`password=`:                                `password=`,
		`=`:                                        `=`,
	} {
		assert.Equal(t, want, redactor(nil).masked(text))
	}
}

func TestAnAppMayNameMoreSecretsForTexts(t *testing.T) {
	assert.Equal(t, `iban=[redacted] x=1`, redactor{"iban"}.masked(`iban=DE01 x=1`))
}

// FuzzMasked: nothing panics, what stands before the first separator stays, and what is masked once
// shows no more when it is masked again.
func FuzzMasked(f *testing.F) {
	for _, seed := range []string{`password="x"`, `a ["key"] = [[`, `password.x(("`, `Authorization: Bearer a`, `?token=a&b=c`, "cookie:\n", `\"key\":\"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := redactor(nil).masked(text)
		if i := strings.IndexAny(text, "=:("); i >= 0 {
			assert.Equal(t, text[:i], got[:min(i, len(got))])
		}
		assert.LessOrEqual(t, len(got), len(text)*12+12)
	})
}

func BenchmarkMasked(b *testing.B) {
	for name, text := range map[string]string{"plain": "the paper is low", "url": "https://example.org/path?page=2&q=x", "line": `local n = 20 return f(n, { a = "b" })`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redactor(nil).masked(text)
			}
		})
	}
}
