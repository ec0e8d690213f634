package template

import (
	"errors"
	"fmt"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/nodes"
)

// testNames are offered when a name is not found.
var testNames = []string{
	"boolean", "callable", "defined", "divisibleby", "eq", "equalto", "escaped", "even", "false", "float", "ge", "gt",
	"greaterthan", "in", "integer", "iterable", "le", "lower", "lt", "lessthan", "mapping", "ne", "none", "number",
	"odd", "sameas", "sequence", "string", "true", "undefined", "upper",
}

// verify reports unknown filters and tests, which gonja would only find when
// it gets there, and holes that its parser leaves in the tree.
func (c *compiler) verify(e nodes.Expression) error {
	switch n := e.(type) {
	case nil:
		return errors.New("an expression is missing here")
	case *nodes.List:
		return c.verifyAll(n.Val)
	case *nodes.Tuple:
		return c.verifyAll(n.Val)
	case *nodes.Dict:
		for _, p := range n.Pairs {
			if err := c.verifyAll([]nodes.Expression{p.Key, p.Value}); err != nil {
				return err
			}
		}
	case *nodes.GetAttribute:
		return c.verify(n.Node)
	case *nodes.GetItem:
		return c.verifyAll([]nodes.Expression{n.Node, n.Arg})
	case *nodes.GetSlice:
		for _, part := range []nodes.Node{n.Start, n.End, n.Step} {
			if part == nil {
				continue
			}
			if err := c.verify(part); err != nil {
				return err
			}
		}
		return c.verify(n.Node)
	case *nodes.Call:
		return errors.Join(c.verify(n.Func), c.verifyArgs(n.Args, n.Kwargs))
	case *nodes.Negation:
		return c.verify(n.Term)
	case *nodes.UnaryExpression:
		return c.verify(n.Term)
	case *nodes.BinaryExpression:
		return c.verifyAll([]nodes.Expression{n.Left, n.Right})
	case *nodes.FilteredExpression:
		for _, f := range n.Filters {
			if err := c.verifyFilter(f); err != nil {
				return err
			}
		}
		return c.verify(n.Expression)
	case *nodes.TestExpression:
		if !builtins.Tests.Exists(n.Test.Name) {
			return fmt.Errorf("there is no test %q%s", n.Test.Name, instead(n.Test.Name, testNames))
		}
		if err := c.verify(n.Expression); err != nil {
			return err
		}
		return c.verifyArgs(n.Test.Args, n.Test.Kwargs)
	}
	return nil
}

func (c *compiler) verifyAll(list []nodes.Expression) error {
	for _, e := range list {
		if err := c.verify(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) verifyArgs(args []nodes.Expression, named map[string]nodes.Expression) error {
	for _, e := range named {
		if err := c.verify(e); err != nil {
			return err
		}
	}
	return c.verifyAll(args)
}

func (c *compiler) verifyFilter(f *nodes.FilterCall) error {
	if !filters.Exists(f.Name) {
		return fmt.Errorf("there is no filter %q%s", f.Name, instead(f.Name, filterNames))
	}
	return c.verifyArgs(f.Args, f.Kwargs)
}
