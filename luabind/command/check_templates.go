package command

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/luabind/inspect"
	"rws/server/suggest"
	"rws/server/template"
)

// checkTemplates parses every template, looks for those that c:render names, and returns how
// many there are.
func checkTemplates(p *luabind.Program) (int, []*fault.Error) {
	dir := filepath.Join(p.Dir(), p.Config.Templates)
	engine, err := template.Open(dir, template.Options{})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, missingTemplates(p, nil)
	}
	var names []string
	if err == nil {
		names, err = engine.Names()
	}
	if err != nil {
		return 0, []*fault.Error{{Code: "template", Message: "reading the templates: " + err.Error(), Cause: err}}
	}
	var findings []*fault.Error
	for _, name := range names {
		if err := engine.Check(name); err != nil {
			findings = append(findings, templateFinding(p.Config.Templates, err))
		}
	}
	return len(names), append(findings, missingTemplates(p, names)...)
}

// maxNames is where the list of templates ends; whether others exist is not known then.
const maxNames = 1000

// missingTemplates reports each c:render of a name that is written in the script, has an
// extension as templates do, and is none of the templates.
func missingTemplates(p *luabind.Program, names []string) []*fault.Error {
	var findings []*fault.Error
	for _, file := range scripts(p) {
		text, _ := p.Source(file)
		chunk, err := fault.Compile(file, text)
		if err != nil {
			continue // reported already, or of a library that is not for us
		}
		for _, call := range inspect.MethodCalls(chunk, "render") {
			if path.Ext(call.Arg) == "" || slices.Contains(names, call.Arg) || len(names) >= maxNames {
				continue
			}
			findings = append(findings, &fault.Error{Code: "template", At: fmt.Sprintf("%s:%d", call.File, call.Line),
				Message: fmt.Sprintf("there is no template %q in the folder %s%s", call.Arg, p.Config.Templates, suggest.DidYouMean(call.Arg, names))})
		}
	}
	return findings
}

// templateFinding puts the folder before the name of the template, so that the place is
// one in the app.
func templateFinding(folder string, err error) *fault.Error {
	e, ok := errors.AsType[*template.Error](err)
	if !ok {
		return &fault.Error{Code: "template", Message: err.Error(), Cause: err}
	}
	return &fault.Error{Code: "template", At: fmt.Sprintf("%s/%s:%d", filepath.ToSlash(folder), e.File, max(e.Line, 1)), Message: e.Message, Cause: err}
}
