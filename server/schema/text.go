package schema

import (
	"slices"
	"strings"
)

// File is an uploaded file as far as a check looks at it. The value of a file field is the File itself.
type File interface {
	Name() string      // as the client says; never a path to trust
	Size() int64       // bytes
	MediaType() string // with or without parameters; better found from the content than believed
}

// CheckStrings makes values of the texts that values returns for a name: none for an absent one, several for a
// repeated one. url.Values fits as func(name string) []string { return v[name] }.
//
// A list takes every text of its name, any other field exactly one. Where the field cannot be empty, "" counts as
// absent, as browsers send inputs that were left blank; in a list such texts are dropped, and a list with nothing in
// it is absent. Names without a field are ignored, see [Object.Unknown].
func (o *Object) CheckStrings(values func(name string) []string) (map[string]any, Errors) {
	return o.CheckForm(values, nil)
}

// CheckForm is [Object.CheckStrings] for forms with files. A nil function means that there are none.
func (o *Object) CheckForm(values func(name string) []string, files func(name string) []File) (map[string]any, Errors) {
	var c collector
	out := make(map[string]any, len(o.fields))
	for _, f := range o.fields {
		if f.single().Type == TypeFile {
			c.files(f, files, out)
		} else {
			c.texts(f, values, out)
		}
		if c.full() {
			break
		}
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return out, nil
}

func (c *collector) texts(f *Field, values func(string) []string, out map[string]any) {
	var sent []string
	if values != nil && f.misfit(Text) == "" {
		sent = values(f.Name)
	}
	switch blank := f.single().blank; {
	case len(sent) == 0 || !blank && !slices.ContainsFunc(sent, notEmpty):
		c.fallback(f, out)
	case f.Type == TypeList:
		out[f.Name] = c.textList(f, sent)
	case len(sent) > 1:
		c.add(f.Name, notOne)
	default:
		v, problem := f.fromText(sent[0])
		c.add(f.Name, problem)
		out[f.Name] = v
	}
}

func notEmpty(s string) bool { return s != "" }

func (c *collector) textList(f *Field, sent []string) []any {
	mark := len(c.errs)
	list := make([]any, 0, min(len(sent), MaxItems))
	for i, s := range sent {
		if s == "" && !f.Items.blank {
			continue
		}
		if int64(len(list)) == f.hi || c.full() {
			list = append(list, nil) // one too many: the count below says so
			break
		}
		v, problem := f.Items.fromText(s)
		item := len(c.errs)
		c.add("", problem)
		c.inItem(item, i)
		list = append(list, v)
	}
	c.add("", f.count(len(list)))
	c.within(mark, f.Name)
	return list
}

func (c *collector) files(f *Field, files func(string) []File, out map[string]any) {
	var sent []File
	if files != nil {
		sent = files(f.Name)
	}
	switch {
	case len(sent) == 0:
		c.fallback(f, out)
	case f.Type == TypeList:
		out[f.Name] = c.fileList(f, sent)
	case len(sent) > 1:
		c.add(f.Name, notOne)
	default:
		c.add(f.Name, f.checkFile(sent[0]))
		out[f.Name] = sent[0]
	}
}

func (c *collector) fileList(f *Field, sent []File) []any {
	mark := len(c.errs)
	list := make([]any, len(sent))
	for i, file := range sent {
		item := len(c.errs)
		c.add("", f.Items.checkFile(file))
		c.inItem(item, i)
		list[i] = file
	}
	c.add("", f.count(len(sent)))
	c.within(mark, f.Name)
	return list
}

func (f *Field) checkFile(file File) problem {
	switch size := file.Size(); {
	case size < f.lo:
		return problem{CodeSize, "must be a file of at least " + sizeText(f.lo)}
	case size > f.hi:
		return problem{CodeSize, "must be a file of at most " + sizeText(f.hi)}
	case f.MediaTypes != nil && !f.takesMedia(file.MediaType()):
		return problem{CodeMediaType, "must be a file of type " + strings.Join(f.MediaTypes, " or ")}
	}
	return problem{}
}

func (f *Field) takesMedia(mediaType string) bool {
	sent, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	sent = strings.TrimSpace(sent)
	return slices.ContainsFunc(f.MediaTypes, func(want string) bool {
		kind, any := strings.CutSuffix(want, "*")
		return want == sent || any && strings.HasPrefix(sent, kind)
	})
}
