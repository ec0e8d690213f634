package schema_test

import (
	"encoding/json"
	"testing"

	"rws/server/schema"
)

func TestJSONSchemaOfFields(t *testing.T) {
	for spec, want := range map[string]string{
		"int 1.. = 1":              `{"default":1,"minimum":1,"type":"integer"}`,
		"int ..9007199254740993":   `{"maximum":9007199254740993,"type":"integer"}`,
		"number 0..0.5":            `{"maximum":0.5,"minimum":0,"type":"number"}`,
		"bool = false":             `{"default":false,"type":"boolean"}`,
		"string 1..20?":            `{"maxLength":20,"minLength":1,"type":"string"}`,
		"string /^a$/":             `{"pattern":"^a$","type":"string"}`,
		"email ..80":               `{"format":"email","maxLength":80,"type":"string"}`,
		"url":                      `{"format":"uri","type":"string"}`,
		"uuid":                     `{"format":"uuid","type":"string"}`,
		"slug":                     `{"pattern":"^[a-z0-9]+(-[a-z0-9]+)*$","type":"string"}`,
		"date":                     `{"format":"date","type":"string"}`,
		"datetime":                 `{"format":"date-time","type":"string"}`,
		"time":                     `{"pattern":"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?$","type":"string"}`,
		"ip":                       `{"anyOf":[{"format":"ipv4"},{"format":"ipv6"}],"type":"string"}`,
		"hostname":                 `{"format":"hostname","type":"string"}`,
		"enum a|b = a":             `{"default":"a","enum":["a","b"],"type":"string"}`,
		"decimal 0..9.50":          `{"description":"decimal number of 0 to 9.50","pattern":"^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$","type":"string"}`,
		"[string ..20] 1..10":      `{"items":{"maxLength":20,"type":"string"},"maxItems":10,"minItems":1,"type":"array"}`,
		"[int] = [1]":              `{"default":[1],"items":{"type":"integer"},"type":"array"}`,
		"file image/* ..5mb":       `{"description":"image/* file of at most 5mb","format":"binary","type":"string"}`,
		"file":                     `{"format":"binary","type":"string"}`,
		"file image/png":           `{"contentMediaType":"image/png","description":"image/png file","format":"binary","type":"string"}`,
		"file image/png|image/gif": `{"description":"image/png or image/gif file","format":"binary","type":"string"}`,
		"file 1kb..":               `{"description":"file of at least 1kb","format":"binary","type":"string"}`,
		"object":                   `{"type":"object"}`,
		"any":                      `{}`,
	} {
		if got := text(t, parse(t, spec).JSONSchema()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", spec, got, want)
		}
	}
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJSONSchemaOfObjects(t *testing.T) {
	list, err := schema.ParseNested("items", "[object] 1..", declare(t, "n", "int"))
	if err != nil {
		t.Fatal(err)
	}
	o := object(t, parseNamed(t, "title", "string"), parseNamed(t, "page", "int = 1"), parseNamed(t, "day", "date?"), list)
	want := `{"additionalProperties":false,"properties":{` +
		`"day":{"format":"date","type":"string"},` +
		`"items":{"items":{"additionalProperties":false,"properties":{"n":{"type":"integer"}},"required":["n"],"type":"object"},"minItems":1,"type":"array"},` +
		`"page":{"default":1,"type":"integer"},"title":{"type":"string"}},` +
		`"required":["title","items"],"type":"object"}`
	if got := text(t, o.JSONSchema()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	o = object(t)
	o.AllowUnknown = true
	if got := text(t, o.JSONSchema()); got != `{"properties":{},"type":"object"}` {
		t.Errorf("got %s", got)
	}
}
