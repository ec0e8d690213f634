package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server/logs"
)

func (t *terminal) testCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [app.lua]",
		Short: "Run the tests of an app",
		Long: `Runs the app:test blocks of an app, without listening. Each test gets the app freshly
loaded, a clock that only it moves, and no network but the answers it stubs. What a
test prints, and what the app logs meanwhile, is shown when the test fails.`,
		Example: "  rws test app.lua\n  rws test --run login",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd)
	run := cmd.Flags().String("run", "", "only the tests whose name contains `text`")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		file, err := appFile(args)
		if err != nil {
			return err
		}
		return t.test(file, *run, flags())
	}
	return command(cmd)
}

// A testReport prints results as they come.
type testReport struct {
	out            io.Writer
	color          paint
	log            *testLog // what the app logged during the present test
	files          fault.Source
	passed, failed int
}

// testLog keeps what is logged, also by what goes on beside the tests, such as checks of backends.
type testLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what there is, and begins anew.
func (l *testLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// test runs the tests whose names contain filter.
func (t *terminal) test(file, filter string, flags map[string]string) error {
	report := &testReport{out: t.out, color: paint(isColorful(t.out)), log: new(testLog)}
	o := luabind.Options{File: file, Flags: flags, Environ: os.Environ(), Version: Version}
	o.Logger = func(*luabind.Config) *slog.Logger {
		return logs.New(report.log, logs.Options{Format: logs.Pretty, Level: slog.LevelInfo, Color: logs.ColorNever})
	}
	report.files = sourceBeside(o)
	start := time.Now()
	err := luabind.RunTests(context.Background(), o, filter, report.add)
	if e, ok := errors.AsType[*fault.Error](err); ok {
		t.show(e, report.files)
		return failed{exitFailed}
	}
	if err != nil {
		return err
	}
	return report.end(filter, time.Since(start))
}

// add prints one result.
func (r *testReport) add(result luabind.TestResult) {
	logged := r.log.take()
	if result.Err == nil {
		r.passed++
		fmt.Fprintf(r.out, "%s    %s  %s\n", r.color.add(green, "ok"), result.Name, r.color.add(dim, took(result.Took)))
		return
	}
	r.failed++
	fmt.Fprintf(r.out, "%s  %s  %s\n", r.color.add(red, "FAIL"), result.Name, r.color.add(dim, result.At))
	source := result.Source
	if source == nil {
		source = r.files
	}
	r.indent("", fault.FromError(result.Err).Text(source, fault.TextOptions{Color: bool(r.color), Locals: true, Trace: true}))
	r.indent("printed:", result.Output)
	r.indent("logged:", logged)
}

// indent prints text below a test, when there is any.
func (r *testReport) indent(title, text string) {
	if text == "" {
		return
	}
	if title != "" {
		fmt.Fprintf(r.out, "      %s\n", r.color.add(dim, title))
	}
	for line := range strings.Lines(text) {
		fmt.Fprintln(r.out, strings.TrimRight("      "+line, " \r\n"))
	}
}

// end prints the sum and returns what the command returns.
func (r *testReport) end(filter string, total time.Duration) error {
	switch {
	case r.passed+r.failed > 0:
		fmt.Fprintf(r.out, "\n%d passed, %d failed in %s\n", r.passed, r.failed, took(total))
	case filter != "":
		return fmt.Errorf("no test has a name that contains %q", filter)
	default:
		fmt.Fprintln(r.out, `no tests: write one with app:test("greets", function(t) t.eq(t:get("/").status, 200) end)`)
	}
	if r.failed > 0 {
		return failed{exitFailed}
	}
	return nil
}
