package luadoc

import (
	"regexp"
	"strings"
)

// markdown joins the lines of a text, without empty lines around it, and lists its Lua examples.
func (f *file) markdown(lines []textLine) (string, []Example) {
	var b strings.Builder
	var examples []Example
	var code *Example // of the block we are inside of
	fence := false
	margin := margin(lines)
	for _, ln := range lines {
		ln.text = strings.TrimRight(strings.TrimPrefix(ln.text, margin), " \t")
		b.WriteString(ln.text + "\n")
		mark, isFence := strings.CutPrefix(strings.TrimSpace(ln.text), "```")
		switch {
		case isFence && fence:
			if code != nil {
				examples = append(examples, *code)
			}
			code, fence = nil, false
		case isFence:
			fence = true
			if info, ok := cutWord(mark, "lua"); ok {
				code = &Example{Info: info, Pos: Pos{f.path, ln.no + 1}}
			}
		case code != nil:
			code.Code += ln.text + "\n"
		}
	}
	return strings.Trim(b.String(), "\n"), examples
}

// margin returns the space after "---" if all lines have it.
func margin(lines []textLine) string {
	for _, ln := range lines {
		if ln.text != "" && ln.text[0] != ' ' {
			return ""
		}
	}
	return " "
}

// prose is a text without its Lua examples.
func prose(text string) string {
	var b strings.Builder
	fence, lua := false, false
	for line := range strings.Lines(text) {
		mark, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		if isFence && !fence {
			_, lua = cutWord(mark, "lua")
		}
		if !lua {
			b.WriteString(line)
		}
		if isFence {
			lua = lua && !fence
			fence = !fence
		}
	}
	return strings.Trim(manyEmptyLines.ReplaceAllString(b.String(), "\n\n"), "\n")
}

var manyEmptyLines = regexp.MustCompile(`\n{3,}`)
