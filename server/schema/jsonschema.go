package schema

import (
	"strconv"
	"strings"
)

// JSONSchema describes the object in JSON Schema 2020-12, the dialect of OpenAPI 3.1, as a fresh tree of
// map[string]any, []any, string, bool, int64 and float64.
//
// It describes what a client should send. A check is at times wider (null for an absent member, the texts of a bool in
// a query) and, where JSON Schema has no word for a rule, narrower; such a rule is told in "description".
func (o *Object) JSONSchema() map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range o.fields {
		properties[f.Name] = f.JSONSchema()
		if !f.Optional && !f.HasDefault {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	if !o.AllowUnknown {
		s["additionalProperties"] = false
	}
	return s
}

// JSONSchema describes the value of one field, as [Object.JSONSchema] does; an OpenAPI parameter needs it alone.
func (f *Field) JSONSchema() map[string]any {
	s := f.valueSchema()
	if f.HasDefault {
		s["default"] = fresh(f.Default)
	}
	return s
}

func (f *Field) valueSchema() map[string]any {
	switch f.Type {
	case TypeInt:
		return f.rangeSchema(map[string]any{"type": "integer"}, "minimum", "maximum")
	case TypeNumber:
		return f.rangeSchema(map[string]any{"type": "number"}, "minimum", "maximum")
	case TypeBool:
		return map[string]any{"type": "boolean"}
	case TypeList:
		return f.rangeSchema(map[string]any{"type": "array", "items": f.Items.JSONSchema()}, "minItems", "maxItems")
	case TypeFile:
		return f.fileSchema()
	case TypeAny:
		return map[string]any{}
	case TypeObject:
		if f.Object != nil {
			return f.Object.JSONSchema()
		}
		return map[string]any{"type": "object"}
	}
	return f.textSchema()
}

func (f *Field) textSchema() map[string]any {
	s := map[string]any{"type": "string"}
	if f.Pattern != "" {
		s["pattern"] = f.Pattern
	}
	if f.Enum != nil {
		s["enum"] = anys(f.Enum)
	}
	if t := f.info.text; t != nil && t.format != "" {
		s["format"] = t.format
	} else if t != nil && t.pattern != "" {
		s["pattern"] = t.pattern
	}
	if f.Type == TypeIP {
		s["anyOf"] = []any{map[string]any{"format": "ipv4"}, map[string]any{"format": "ipv6"}}
	}
	if f.Type == TypeDecimal {
		return f.describeRange(s, "decimal number")
	}
	return f.rangeSchema(s, "minLength", "maxLength")
}

// fileSchema is the form that OpenAPI tools know for a part of a multipart body.
func (f *Field) fileSchema() map[string]any {
	s := map[string]any{"type": "string", "format": "binary"}
	if f.MediaTypes == nil {
		return f.describeRange(s, "file")
	}
	if one := f.MediaTypes[0]; len(f.MediaTypes) == 1 && !strings.HasSuffix(one, "*") {
		s["contentMediaType"] = one
	}
	what := strings.Join(f.MediaTypes, " or ") + " file"
	s["description"] = what
	return f.describeRange(s, what)
}

func (f *Field) rangeSchema(s map[string]any, low, high string) map[string]any {
	if f.Min != "" {
		s[low] = f.boundValue(f.Min)
	}
	if f.Max != "" {
		s[high] = f.boundValue(f.Max)
	}
	return s
}

func (f *Field) boundValue(bound string) any {
	if f.Type == TypeNumber {
		n, _ := strconv.ParseFloat(bound, 64) // canonical
		return n
	}
	n, _ := strconv.ParseInt(bound, 10, 64) // canonical
	return n
}

func (f *Field) describeRange(s map[string]any, what string) map[string]any {
	switch low, high := f.writeBound(f.Min), f.writeBound(f.Max); {
	case low != "" && high != "":
		s["description"] = what + " of " + low + " to " + high
	case low != "":
		s["description"] = what + " of at least " + low
	case high != "":
		s["description"] = what + " of at most " + high
	}
	return s
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}
