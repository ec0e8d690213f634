package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// filters are gonja's, with those replaced that are unsafe or wrong: its urlize
// and pprint print markup of the data, safe marks a variable for good, reverse
// sorts, map hides errors, tojson breaks out of a script.
var filters = filterSet(map[string]exec.FilterFunction{
	"count":     filterLength,
	"dictsort":  filterDictsort,
	"format":    filterFormat,
	"items":     filterItems,
	"join":      filterJoin,
	"length":    filterLength,
	"map":       filterMap,
	"markdown":  filterMarkdown,
	"pprint":    filterPprint,
	"reverse":   filterReverse,
	"safe":      filterSafe,
	"string":    filterString,
	"tojson":    filterJSON,
	"urlencode": filterURLEncode,
	"urlize":    filterURLize,
	"xmlattr":   filterXMLAttr,
})

// filterNames are offered when a name is not found.
var filterNames = []string{
	"abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat",
	"first", "float", "forceescape", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list",
	"lower", "map", "markdown", "max", "min", "random", "reject", "rejectattr", "replace", "reverse", "round", "safe",
	"select", "selectattr", "slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim", "truncate",
	"unique", "upper", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr",
}

// textual filters work on the text of a value, as it would be printed.
var textual = names("capitalize", "center", "e", "escape", "forceescape", "indent", "lower", "replace", "string",
	"striptags", "title", "trim", "truncate", "upper", "wordcount", "wordwrap", "markdown", "urlize")

// marking filters change the letters of a text and not what it means: HTML stays HTML, as in
// Jinja, so that a filter block does not escape what the template wrote itself.
var marking = names("capitalize", "center", "indent", "lower", "replace", "title", "trim", "truncate", "upper", "wordwrap")

// padding filters allocate as much as a number says.
var padding = names("batch", "center", "indent", "slice", "tojson")

func names(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func filterSet(ours map[string]exec.FilterFunction) *exec.FilterSet {
	all := exec.NewFilterSet(map[string]exec.FilterFunction{}).Update(builtins.Filters)
	return all.Update(exec.NewFilterSet(maps.Clone(ours)))
}

func fault(err error) *exec.Value { return exec.AsValue(err) }

func filterSafe(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if !in.IsString() {
		return in
	}
	return exec.AsSafeValue(in.Val.String())
}

func filterString(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value { return in }

func filterPprint(*exec.Evaluator, *exec.Value, *exec.VarArgs) *exec.Value {
	return fault(errors.New("it shows Python; use tojson(2)"))
}

func filterLength(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	n, err := length(in)
	if err != nil {
		return fault(err)
	}
	return exec.AsValue(int64(n))
}

func filterReverse(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	list, err := items(in)
	if err != nil {
		return fault(err)
	}
	list = slices.Clone(list)
	slices.Reverse(list)
	if !in.IsString() {
		return exec.AsValue(exec.ValuesList(list))
	}
	var b strings.Builder
	for _, c := range list {
		b.WriteString(c.String())
	}
	return exec.AsValue(b.String())
}

// dotted reads "a.b.0" of a value, nil when a part is missing.
func dotted(v *exec.Value, path string) *exec.Value {
	for part := range strings.SplitSeq(path, ".") {
		if v == nil {
			return nil
		}
		next := property(v, part)
		if i := 0; next == nil && !v.IsDict() {
			if _, err := fmt.Sscanf(part, "%d", &i); err == nil {
				next = element(v, i)
			}
		}
		v = next
	}
	return v
}

// filterMap is map("filter", …) or map(attribute="a.b", default=x).
func filterMap(e *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	list, err := items(in)
	if err != nil {
		return fault(err)
	}
	attribute := params.KwArgs["attribute"]
	if len(params.Args) == 0 && attribute == nil {
		return fault(errors.New(`wants the name of a filter, or attribute="name"`))
	}
	out := make(exec.ValuesList, len(list))
	for i, v := range list {
		if attribute != nil {
			if v = dotted(v, attribute.String()); v == nil {
				v = orNil(params.KwArgs["default"])
			}
		} else {
			v, err = applyFilter(e, params.Args[0].String(), v, &exec.VarArgs{Args: params.Args[1:], KwArgs: params.KwArgs})
			if err != nil {
				return fault(err)
			}
		}
		out[i] = v
	}
	return exec.AsValue(out)
}

// filterJoin is join(separator, attribute="a.b"); on an escaping page the parts
// are escaped unless they are safe.
func filterJoin(e *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	list, err := items(in)
	if err != nil {
		return fault(err)
	}
	separator := params.First()
	if d, ok := params.KwArgs["d"]; ok {
		separator = d
	}
	attribute := params.KwArgs["attribute"]
	if len(params.Args) > 1 {
		attribute = params.Args[1]
	}
	f := &frame{escape: e.Config.AutoEscape}
	between, err := f.print(separator)
	if err != nil {
		return fault(err)
	}
	parts := make([]string, len(list))
	for i, v := range list {
		if attribute != nil {
			v = orNil(dotted(v, attribute.String()))
		}
		if parts[i], err = f.print(v); err != nil {
			return fault(err)
		}
	}
	return &exec.Value{Val: exec.AsValue(strings.Join(parts, between)).Val, Safe: f.escape}
}

// htmlJSON are the characters that could end a script or an attribute in single
// quotes; encoding/json itself handles < > & and U+2028.
var htmlJSON = strings.NewReplacer("'", `\u0027`)

// filterJSON is tojson(indent): JSON that can stand in a script element or in
// an attribute in single quotes.
func filterJSON(_ *exec.Evaluator, in *exec.Value, params *exec.VarArgs) *exec.Value {
	v, err := goValue(in)
	if err != nil {
		return fault(err)
	}
	indent, _ := whole(params.First())
	if n, ok := params.KwArgs["indent"]; ok {
		indent, _ = whole(n)
	}
	b, err := json.MarshalIndent(v, "", strings.Repeat(" ", max(0, min(indent, 16))))
	if indent <= 0 {
		b, err = json.Marshal(v)
	}
	if err != nil {
		return fault(err)
	}
	return exec.AsSafeValue(htmlJSON.Replace(string(b)))
}

// filterMarkdown renders text that is not trusted.
func filterMarkdown(_ *exec.Evaluator, in *exec.Value, p *exec.VarArgs) *exec.Value {
	s, err := Markdown(contextOf(p), in.Val.String(), MarkdownOptions{})
	if err != nil {
		return fault(err)
	}
	return exec.AsSafeValue(s)
}

// contextName is the argument by which a filter that may take long gets the context of the
// render; no template can write it.
const contextName = "\x00context"

func contextOf(p *exec.VarArgs) context.Context {
	if v := p.KwArgs[contextName]; v != nil {
		if ctx, ok := v.Interface().(context.Context); ok {
			return ctx
		}
	}
	return context.Background()
}

// filterURLEncode makes a text fit for a path or a query value ("/" stays), and
// a map or a list of pairs a query.
func filterURLEncode(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if !in.IsDict() && !in.IsList() {
		s, err := plainText(in)
		if err != nil {
			return fault(err)
		}
		return exec.AsValue(strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s)))
	}
	var query []string
	list := pairs(in)
	if in.IsList() {
		elements, err := items(in)
		if err != nil {
			return fault(err)
		}
		for _, e := range elements {
			p, err := items(e)
			if err != nil || len(p) != 2 {
				return fault(errors.New("wants a text, a map or a list of pairs"))
			}
			list = append(list, [2]*exec.Value{p[0], p[1]})
		}
	}
	for _, p := range list {
		key, err := plainText(p[0])
		if err != nil {
			return fault(err)
		}
		v, err := plainText(p[1])
		if err != nil {
			return fault(err)
		}
		query = append(query, url.QueryEscape(key)+"="+url.QueryEscape(v))
	}
	return exec.AsValue(strings.Join(query, "&"))
}

// filterURLize links the words of a text that begin with http:// or https://.
func filterURLize(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.Safe {
		return in
	}
	var b strings.Builder
	for word := range strings.SplitAfterSeq(in.Val.String(), " ") {
		link := strings.TrimRight(word, " .,;:!?)")
		if u, err := url.Parse(link); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			b.WriteString(escape(word))
			continue
		}
		fmt.Fprintf(&b, `<a href="%[1]s" rel="nofollow noopener">%[1]s</a>%[2]s`, escape(link), escape(word[len(link):]))
	}
	return exec.AsSafeValue(b.String())
}

// filterXMLAttr prints a map as attributes, without those that are undefined.
func filterXMLAttr(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if !in.IsDict() {
		return fault(fmt.Errorf("wants a map, not %s", kind(in)))
	}
	var b strings.Builder
	for _, p := range pairs(in) {
		if p[1].IsNil() {
			continue
		}
		name, err := plainText(p[0])
		if err != nil {
			return fault(err)
		}
		if name == "" || strings.ContainsAny(name, " \t\n\r\f\v/>=\"'<&\x00") {
			return fault(fmt.Errorf("%q cannot be the name of an attribute", name))
		}
		v, err := plainText(p[1])
		if err != nil {
			return fault(err)
		}
		fmt.Fprintf(&b, ` %s="%s"`, name, escape(v))
	}
	return exec.AsSafeValue(b.String())
}
