package migrate

import (
	"errors"
	"fmt"
	"strings"

	"rws/server/db"
)

// piece is one statement and the line of the file where it begins.
type piece struct {
	text string
	line int
}

// annotation returns the command of a line such as "-- +goose StatementBegin", in lower case.
func annotation(line string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
	if !ok {
		return "", false
	}
	rest = strings.TrimSpace(rest)
	for _, name := range []string{"+goose", "+rws"} {
		if command, ok := strings.CutPrefix(rest, name+" "); ok {
			return strings.ToLower(strings.Join(strings.Fields(command), " ")), true
		}
	}
	return "", false
}

// cut makes statements of the SQL of a step.
func cut(engine db.Engine, g *Migration, s Step) ([]piece, error) {
	c := cutter{engine: engine, first: max(s.Line, 1)}
	if err := c.run(s.SQL); err != nil {
		return nil, g.fail(s.File, c.at, err)
	}
	return c.pieces, nil
}

type cutter struct {
	engine db.Engine
	first  int // line of the text in its file
	at     int // line of a fault
	pieces []piece
	block  []string // lines that were not cut yet
	start  int      // line of the block
	whole  bool     // between StatementBegin and StatementEnd
}

func (c *cutter) run(sql string) error {
	for i, line := range strings.Split(strings.ReplaceAll(sql, "\r\n", "\n"), "\n") {
		c.at = c.first + i
		command, ok := annotation(line)
		if !ok {
			if len(c.block) == 0 {
				c.start = c.at
			}
			c.block = append(c.block, line)
			continue
		}
		if err := c.command(command); err != nil {
			return err
		}
	}
	if c.whole {
		return fmt.Errorf("StatementBegin without StatementEnd")
	}
	return c.flush()
}

func (c *cutter) command(command string) error {
	switch command {
	case "statementbegin":
		if c.whole {
			return fmt.Errorf("StatementBegin in a statement that has begun")
		}
		err := c.flush()
		c.whole = true
		return err
	case "statementend":
		if !c.whole {
			return fmt.Errorf("StatementEnd without StatementBegin")
		}
		err := c.flush()
		c.whole = false
		return err
	case "no transaction":
		return nil // read with the file
	}
	return fmt.Errorf("there is no annotation %q here; there are StatementBegin, StatementEnd, NO TRANSACTION", command)
}

// flush cuts the block, or takes it as it is.
func (c *cutter) flush() error {
	text := strings.Join(c.block, "\n")
	c.block = nil
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if c.whole {
		c.pieces = append(c.pieces, piece{strings.TrimSpace(text), c.start})
		return nil
	}
	parts, err := db.Split(c.engine, text)
	if e, ok := errors.AsType[*db.Error](err); ok {
		c.at, e.Line = c.start+max(e.Line, 1)-1, 0
	}
	if err != nil {
		return err
	}
	for _, p := range parts {
		c.pieces = append(c.pieces, piece{p.Text, c.start + p.Line - 1})
	}
	return nil
}
