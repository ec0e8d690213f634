package command

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rws/luabind"
)

// settingMark is the annotation of flags that are settings.
const settingMark = "rws_setting"

// settingFlags adds a flag per setting, but for those that are named, and returns what was
// given, by flag name.
func settingFlags(cmd *cobra.Command, but ...string) func() map[string]string {
	fs := cmd.Flags()
	fs.SortFlags = false
	left := make(map[string]bool)
	for _, name := range but {
		left[name] = true
	}
	for _, s := range luabind.Settings() {
		if left[s.Name] {
			continue
		}
		fs.String(s.Flag(), "", s.Doc)
		f := fs.Lookup(s.Flag())
		f.DefValue = s.Default
		f.Annotations = map[string][]string{settingMark: {s.Name}}
		if s.Default == "true" || s.Default == "false" || s.Name == "migrate" {
			f.NoOptDefVal = "true"
		}
	}
	return func() map[string]string {
		given := make(map[string]string)
		fs.Visit(func(f *pflag.Flag) {
			if isSetting(f) {
				given[f.Name] = f.Value.String()
			}
		})
		return given
	}
}

func isSetting(f *pflag.Flag) bool { return f.Annotations[settingMark] != nil }
